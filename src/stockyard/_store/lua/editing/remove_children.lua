--- Removes the children that a job waits for, and theirs, but not those that run or have failed.
-- parts: decoding events markers placing removing parents families
-- keys:
-- args: job
-- returns: how many were removed, or -1 when the job does not exist
if redis.call('EXISTS', job) == 0 then return -1 end
local removed, seen = 0, {[job] = true}
for _, child in ipairs(idle_children(job)) do
  local base, id = place_of(child)
  removed = removed + remove_family(base, id, idle_children, seen)
end
return removed
