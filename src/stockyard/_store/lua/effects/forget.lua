--- Removes all effects of a queue, a part at a time.
-- keys: effects_open effects_unknown effects_settled effects_compact effects_check effects_audit
-- args: base
-- returns: how many are left
local AT_ONCE = 500
local left = 0
for _, filed in ipairs({effects_open, effects_unknown, effects_settled}) do
  for _, key in ipairs(redis.call('ZRANGE', filed, 0, AT_ONCE - 1)) do
    redis.call('UNLINK', base .. EFFECT .. key)
    redis.call('ZREM', filed, key)
  end
  left = left + redis.call('ZCARD', filed)
end
redis.call('UNLINK', effects_compact, effects_check, effects_audit)
return left
