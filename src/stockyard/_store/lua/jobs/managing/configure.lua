--- Sets or takes off the limits of all workers, and wakes one that may go on.
-- needs: markers
-- keys: wait prioritized active meta marker limiter stalled
-- args: limits
-- returns: 0
-- A full server refuses nothing more to a script that has written: an operator's limits work there.
redis.call('SREM', stalled, '')
for name, value in pairs(cmsgpack.unpack(limits)) do
  if value then redis.call('HSET', meta, name, value) else redis.call('HDEL', meta, name) end
  -- A window that began under a longer rate ends with the new one; a limit by hand stays as long as it was to last.
  if name == 'duration' and value and redis.call('PTTL', limiter) > value
    and (tonumber(redis.call('GET', limiter)) or 0) < 9007199254740991 then
    redis.call('PEXPIRE', limiter, value)
  end
end
if redis.call('EXISTS', wait, prioritized) > 0 then wake(keys) end
return 0
