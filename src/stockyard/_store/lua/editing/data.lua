--- Replaces a job's payload.
-- keys:
-- args: job data
-- returns: 0, or -1 when the job does not exist
if redis.call('EXISTS', job) == 0 then return -1 end
redis.call('HSET', job, 'data', data)
return 0
