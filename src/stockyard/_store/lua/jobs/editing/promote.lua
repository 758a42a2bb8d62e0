--- Lets a delayed job run now.
-- needs: markers transitions
-- keys: wait prioritized delayed active meta events marker priority_counter
-- args: job id
-- returns: 0, JOB_MISSING when the job does not exist, WRONG_STATE when it is not delayed
if redis.call('EXISTS', job) == 0 then return JOB_MISSING end
if not out_of_delayed(keys, id) then return WRONG_STATE end
to_ready(keys, id, tonumber(redis.call('HGET', job, 'priority')) or 0, false)
wake(keys)
redis.call('XADD', events, '*', 'event', 'waiting', 'jobId', id, 'prev', 'delayed')
redis.call('HSET', job, 'delay', 0)
return 0
