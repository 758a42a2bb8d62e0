--- Lets a delayed job run now.
-- needs: markers placing
-- keys: wait prioritized delayed active meta events marker priority_counter
-- args: job id
-- returns: 0, JOB_MISSING when the job does not exist, WRONG_STATE when it is not delayed
if redis.call('EXISTS', job) == 0 then return JOB_MISSING end
if redis.call('ZREM', delayed, id) == 0 then return WRONG_STATE end
local priority = tonumber(redis.call('HGET', job, 'priority')) or 0
make_ready(wait, prioritized, priority_counter, id, priority, false)
if not is_blocked(meta, active) then ring(marker) end
redis.call('XADD', events, '*', 'event', 'waiting', 'jobId', id, 'prev', 'delayed')
redis.call('HSET', job, 'delay', 0)
return 0
