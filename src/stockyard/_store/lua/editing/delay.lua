--- Lets a delayed job run so long after now.
-- needs: events markers placing
-- keys: delayed meta events marker
-- args: job id delay now
-- returns: 0, JOB_MISSING when the job does not exist, WRONG_STATE when it is not delayed
if redis.call('EXISTS', job) == 0 then return JOB_MISSING end
if redis.call('ZREM', delayed, id) == 0 then return WRONG_STATE end
local score, due = delay_score(delayed, tonumber(now), tonumber(delay))
redis.call('HSET', job, 'delay', delay)
redis.call('ZADD', delayed, score, id)
redis.call('XADD', events, 'MAXLEN', '~', stream_cap(meta), '*', 'event', 'delayed', 'jobId', id,
  'delay', string.format('%.0f', due))
ring_when_due(marker, delayed)
return 0
