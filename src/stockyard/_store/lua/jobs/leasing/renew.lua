--- Renews the leases of running jobs that are still the caller's own; one that the server lost is restored.
-- keys: stalled active unread
-- args: base duration held
-- returns: the ids whose lease is another's or gone
-- A full server refuses nothing more to a script that has written: leases are restored there, too.
redis.call('SREM', stalled, '')
local lost, kept = {}, {}

-- No lock, and nobody has taken the job since: it was evicted, or ran out while the server was away.
local function is_still_ours(id, starts)
  return redis.call('LPOS', active, id) and tonumber(redis.call('HGET', base .. id, 'ats')) == starts
end

for _, lease in ipairs(cjson.decode(held)) do
  local id, token, starts = lease[1], lease[2], lease[3]
  local lock = base .. id .. LOCK
  local holder = redis.call('GET', lock)
  if holder == token then
    redis.call('PEXPIRE', lock, duration)
    kept[#kept + 1] = id
  elseif not holder and is_still_ours(id, starts) then
    redis.call('SET', lock, token, 'PX', duration)
    kept[#kept + 1] = id
  else
    lost[#lost + 1] = id
  end
end
if #kept > 0 then
  redis.call('SREM', stalled, unpack(kept))
  -- A worker that renews a lease has the job's record.
  redis.call('HDEL', unread, unpack(kept))
end
return lost
