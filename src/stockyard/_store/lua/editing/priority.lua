--- Gives a job another priority, and the place in line that goes with it.
-- needs: markers placing
-- keys: wait prioritized active meta marker priority_counter
-- args: job id priority lifo
-- returns: 0, or JOB_MISSING when the job does not exist
if redis.call('EXISTS', job) == 0 then return JOB_MISSING end
local number, to_front = tonumber(priority), lifo == '1'
if redis.call('ZREM', prioritized, id) == 1 or redis.call('LREM', wait, -1, id) == 1 then
  if to_front and number > 0 then
    redis.call('ZADD', prioritized, number * 4294967296, id)
  else
    make_ready(wait, prioritized, priority_counter, id, number, to_front)
  end
  if not is_blocked(meta, active) then ring(marker) end
end
redis.call('HSET', job, 'priority', priority)
return 0
