--- Replaces a job's payload.
-- keys: home
-- args: job data
-- returns: 0, or JOB_MISSING when the job does not exist
if redis.call('EXISTS', job) == 0 then return JOB_MISSING end
-- What a running job says of itself a full server must take: its end makes room.
if redis.call('EXISTS', job .. LOCK) == 1 then redis.call('HDEL', job, '') end
redis.call('HSET', job, 'data', data)
return 0
