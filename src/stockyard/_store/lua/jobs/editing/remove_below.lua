--- Removes jobs of a family that is too large for one call, but for those that stand in a list; parents do not go on.
-- needs: parents queue_keys transitions families
-- keys: home
-- args: jobs top idle_only
-- returns: how many were removed, one that a worker holds or '', those that stand in no set
local removed, held, listed = 0, '', {}
for _, job in ipairs(cmsgpack.unpack(jobs)) do
  local base, id = place_of(job)
  if redis.call('EXISTS', job .. LOCK) == 1 then
    held = job
  elseif idle_only == '0' or not redis.call('ZSCORE', queue_keys(base).failed, id) then
    local set = out_of_sets(queue_keys(base), id)
    if set then
      -- Only the job that stays goes on when it is the last.
      local link = redis.call('HMGET', job, 'parentKey', 'parent')
      if link[1] == top then give_up_child(link[1], link[2], job) end
      if remove_record(base, id, set) then removed = removed + 1 end
    else
      listed[#listed + 1] = job
    end
  end
end
return {removed, held, listed}
