--- Renews the leases of running jobs that are still the caller's own.
-- keys: stalled
-- args: base duration held
-- returns: the ids whose lease is somebody else's or gone
local lost = {}
local kept = {}
for _, lease in ipairs(cmsgpack.unpack(held)) do
  local id, token = lease[1], lease[2]
  local lock = base .. id .. ':lock'
  if redis.call('GET', lock) == token then
    redis.call('PEXPIRE', lock, duration)
    kept[#kept + 1] = id
  else
    lost[#lost + 1] = id
  end
end
if #kept > 0 then redis.call('SREM', stalled, unpack(kept)) end
return lost
