--- Puts the failed job of a parked key back to where jobs wait, with all of its attempts; the key goes on behind it.
-- needs: events expiry key_lines markers retrying transitions
-- keys: wait prioritized active failed waiting_children meta events marker priority_counter keys_parked
-- args: base key settled now
-- returns: its id; 1 when its children are to be settled first; WRONG_STATE when the key is not parked; JOB_MISSING when
--   its record is gone; JOB_EXPIRED and its id when it would be dropped
local id = redis.call('HGET', keys_parked, key)
if not id then return WRONG_STATE end
local job = base .. id
if redis.call('EXISTS', job) == 0 then return JOB_MISSING end
local has_failed = redis.call('ZSCORE', failed, id)
if has_failed and has_expired(job, now) then return {JOB_EXPIRED, id} end
if has_failed and settled == '0' and number_to_settle(job) > 0 then return 1 end
-- A write that takes no memory: a full server refuses nothing after it.
redis.call('HDEL', keys_parked, key)
-- Else it was tried again by another hand already.
if has_failed then
  out_of(failed, id)
  reset_counts(job, 'atm ats stc')
  wait_again(keys, job, id, 'failed', stream_cap(meta), now)
  wake(keys)
end
announce_key(keys, id, key, 'resumed')
return id
