--- Fails a job that has not ended: at its next start without running it, or at once where a worker runs it.
-- needs: markers transitions
-- keys: wait prioritized delayed active completed failed waiting_children meta events marker priority_counter
-- args: job id reason channel message
-- returns: 0, JOB_MISSING when the job does not exist, WRONG_STATE when it has ended
if redis.call('EXISTS', job) == 0 then return JOB_MISSING end
if redis.call('ZSCORE', completed, id) or redis.call('ZSCORE', failed, id) then return WRONG_STATE end
-- A write that takes no memory: a full server refuses nothing after it.
redis.call('HDEL', job, '')
-- Every peer fails a job that has this field when it takes it, also one that recovers the job of a dead worker.
redis.call('HSET', job, 'defa', reason)
local from = out_of_delayed(keys, id) and 'delayed' or out_of_parents(keys, id) and 'waiting-children'
if from then
  to_ready(keys, id, tonumber(redis.call('HGET', job, 'priority')) or 0, false)
  wake(keys)
  redis.call('XADD', events, '*', 'event', 'waiting', 'jobId', id, 'prev', from)
  redis.call('HSET', job, 'delay', 0)
else
  redis.call('PUBLISH', channel, message)
end
return 0
