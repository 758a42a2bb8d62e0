--- Removes the children that a job waits for, and theirs, but not those that run or have failed.
-- needs: families
-- keys: home
-- args: job
-- returns: how many were removed, JOB_MISSING when the job does not exist, TOO_MANY when they are too many for one call
if redis.call('EXISTS', job) == 0 then return JOB_MISSING end
local family = family_of(job, idle_children, number_pending)
return family and remove_family(family, 1) or TOO_MANY
