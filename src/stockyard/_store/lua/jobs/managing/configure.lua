--- Sets or takes off the limits of all workers, and wakes one that may go on.
-- needs: markers
-- keys: wait prioritized active meta marker limiter stalled
-- args: limits
-- returns: how many of them have changed
-- A full server refuses nothing more to a script that has written: an operator's limits work there.
redis.call('SREM', stalled, '')
local changed = 0
for name, value in pairs(cmsgpack.unpack(limits)) do
  if (tonumber(redis.call('HGET', meta, name)) or false) ~= value then changed = changed + 1 end
  if value then redis.call('HSET', meta, name, value) else redis.call('HDEL', meta, name) end
  -- A window that began under a longer rate ends with the new one; a limit by hand stays as long as it was to last.
  if name == 'duration' and value and redis.call('PTTL', limiter) > value
    and (tonumber(redis.call('GET', limiter)) or 0) < 9007199254740991 then
    redis.call('PEXPIRE', limiter, value)
  end
end
if redis.call('EXISTS', wait, prioritized) > 0 then wake(keys) end
return changed
