--- Puts a job that ended in one state back to where it waits.
-- needs: events expiry markers transitions retrying states
-- keys: wait prioritized delayed active completed failed paused waiting_children meta events marker priority_counter
-- args: job id state reset_fields settled now
-- returns: 0; 1 when its children are to be settled first; JOB_MISSING when it does not exist; JOB_EXPIRED when
--   it would be dropped; the state that it is in instead
if redis.call('EXISTS', job) == 0 then return JOB_MISSING end
local ended = state == 'failed' and failed or completed
if not redis.call('ZSCORE', ended, id) then return state_of(keys, id) end
if has_expired(job, now) then return JOB_EXPIRED end
if settled == '0' and number_to_settle(job) > 0 then return 1 end
out_of(ended, id)
reset_counts(job, reset_fields)
wait_again(keys, job, id, state, stream_cap(meta), now)
wake(keys)
return 0
