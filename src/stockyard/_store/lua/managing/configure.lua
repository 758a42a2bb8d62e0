--- Sets or takes off the limits of all workers, and wakes one that may go on.
-- parts: markers
-- keys: wait prioritized active meta marker
-- args: limits
-- returns: 0
for name, value in pairs(cmsgpack.unpack(limits)) do
  if value then redis.call('HSET', meta, name, value) else redis.call('HDEL', meta, name) end
end
if redis.call('EXISTS', wait, prioritized) > 0 and not is_blocked(meta, active) then ring(marker) end
return 0
