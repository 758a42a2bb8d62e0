--- Removes the children that a job waits for, and theirs, but not those that run or have failed.
-- parts: decoding events markers placing removing parents families
-- keys:
-- args: job
-- returns: how many were removed, -1 when the job does not exist, -9 when they are too many for one call
if redis.call('EXISTS', job) == 0 then return -1 end
local family = family_of(job, idle_children, number_pending)
return family and remove_family(family, 1) or -9
