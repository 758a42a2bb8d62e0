--- Removes a job and, if asked, all below it, unless a worker runs one of them: places, records, ties.
-- needs: next_runs families
-- keys: repeat_set
-- args: base id with_children
-- returns: how many were removed, 0 when a worker holds one, JOB_MISSING without such a job, OF_SCHEDULE for a
--   schedule's next run, TOO_MANY when they are too many for one call
local job = base .. id
if is_next_run(repeat_set, id, redis.call('HGET', job, 'rjk')) then return OF_SCHEDULE end
if with_children == '0' then
  if redis.call('EXISTS', job .. LOCK) == 1 then return 0 end
  return remove_one(job, base, id) and 1 or JOB_MISSING
end
local family = family_of(job, all_children, number_of_children)
if not family then return TOO_MANY end
for _, each in ipairs(family) do
  if redis.call('EXISTS', each .. LOCK) == 1 then return 0 end
end
-- The id of the first may have colons.
local removed = remove_family(family, 1) + (remove_one(job, base, id) and 1 or 0)
return removed > 0 and removed or JOB_MISSING
