--- Puts a finished job back to where it waits.
-- parts: decoding events markers placing retrying
-- keys: wait prioritized active completed failed meta events marker priority_counter
-- args: job id reset_attempts
-- returns: 0, -1 when the job does not exist, -3 when it is not finished
if redis.call('EXISTS', job) == 0 then return -1 end
local state = redis.call('ZREM', failed, id) == 1 and 'failed'
  or redis.call('ZREM', completed, id) == 1 and 'completed'
if not state then return -3 end
if reset_attempts == '1' then redis.call('HDEL', job, 'atm', 'ats', 'stc') end
local keys = {wait = wait, prioritized = prioritized, priority_counter = priority_counter, events = events}
wait_again(keys, job, id, state, stream_cap(meta))
if not is_blocked(meta, active) then ring(marker) end
return 0
