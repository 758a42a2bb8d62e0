--- Sets a canary, changes its share, or ends it; what waits aside is divided anew by the workers that take it.
-- needs: markers version_sides
-- keys: stalled marker versions releases
-- args: base version share moment
-- returns: the version and the share that were set before, empty for none
-- A full server must not keep anybody from taking a canary back.
redis.call('SREM', stalled, '')
local before = redis.call('HMGET', releases, 'canary', 'share')
if version == '' then
  redis.call('HDEL', releases, 'canary', 'share', 'since')
else
  redis.call('HSET', releases, 'canary', version, 'share', share, 'since', moment)
end
for _, number in ipairs(redis.call('HKEYS', versions)) do
  local members, canary, stable = line_of(base, number), line_of(base, number, CANARY), line_of(base, number, STABLE)
  if redis.call('EXISTS', canary, stable) > 0 then
    redis.call('ZUNIONSTORE', members, 3, members, canary, stable, 'AGGREGATE', 'MIN')
    redis.call('UNLINK', canary, stable)
  end
end
add_marker(keys)
return {before[1] or '', before[2] or ''}
