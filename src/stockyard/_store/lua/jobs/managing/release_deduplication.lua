--- Frees a deduplication id, if a given job has it.
-- keys: home
-- args: base name job_id
-- returns: 1, or 0 when another job has it, or none
local owner = base .. OWNER .. name
if redis.call('GET', owner) ~= job_id then return 0 end
return redis.call('DEL', owner)
