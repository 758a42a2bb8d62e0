--- Lets jobs run now that a halt of their key delayed; a part at a time.
-- needs: markers transitions
-- keys: wait prioritized delayed active meta events marker priority_counter held
-- args: base room
-- returns: how many are left
redis.call('ZREM', held, '')
local any_ready = false
for _, id in ipairs(redis.call('ZRANGE', held, 0, room - 1)) do
  redis.call('ZREM', held, id)
  if out_of_delayed(keys, id) then
    to_ready(keys, id, tonumber(redis.call('HGET', base .. id, 'priority')) or 0, false)
    redis.call('XADD', events, '*', 'event', 'waiting', 'jobId', id, 'prev', 'delayed')
    redis.call('HSET', base .. id, 'delay', 0)
    any_ready = true
  end
end
if any_ready then wake(keys) end
return redis.call('ZCARD', held)
