--- Stores a job's progress and announces it.
-- needs: events
-- keys: meta events
-- args: job id value
-- returns: 0, or JOB_MISSING when the job does not exist
if redis.call('EXISTS', job) == 0 then return JOB_MISSING end
-- What a running job says of itself a full server must take: its end makes room.
if redis.call('EXISTS', job .. LOCK) == 1 then redis.call('HDEL', job, '') end
redis.call('HSET', job, 'progress', value)
local entry =
  redis.call('XADD', events, 'MAXLEN', '~', stream_cap(meta), '*', 'event', 'progress', 'jobId', id, 'data', value)
if #value > LARGE then count_large(events, meta, entry, #value) end
return 0
