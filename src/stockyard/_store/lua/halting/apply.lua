--- Writes which halts hold a queue, unless a later change is written: its pause then keeps every worker from taking.
-- needs: halting
-- keys: wait prioritized delayed paused meta events marker halts breaker
-- args: version entries room
-- returns: how many jobs are still set aside by a BullMQ 5: until there are none, the queue stays paused; and 1 where
--   keys are halted no more
local wanted = cmsgpack.unpack(entries)
if not next(wanted) and redis.call('EXISTS', halts) == 0 then return {0, 0} end
-- A write that takes no memory: a full server refuses nothing after it.
redis.call('HDEL', halts, '')
if tonumber(version) < tonumber(redis.call('HGET', halts, 'version') or 0) then return {0, 0} end
local freed, stored = 0, redis.call('HGETALL', halts)
for at = 1, #stored, 2 do
  local field = stored[at]
  if field ~= 'version' and not wanted[field] then
    redis.call('HDEL', halts, field)
    if field ~= 'all' then freed = 1 end
  end
end
redis.call('HSET', halts, 'version', version)
for field, halt in pairs(wanted) do redis.call('HSET', halts, field, halt) end
if next(wanted) then
  redis.call('PERSIST', halts)
else
  -- The version is kept for a while: what was read before the change may come after it.
  redis.call('PEXPIRE', halts, 86400000)
end
return {follow_halts(keys, room), freed}
