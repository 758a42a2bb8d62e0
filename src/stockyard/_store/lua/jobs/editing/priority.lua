--- Gives a job another priority, and the place in line that goes with it.
-- needs: markers transitions
-- keys: wait prioritized active meta marker priority_counter
-- args: job id priority lifo
-- returns: 0, or JOB_MISSING when the job does not exist
if redis.call('EXISTS', job) == 0 then return JOB_MISSING end
local number = tonumber(priority)
if out_of_ready(keys, id) then
  if lifo == '1' then to_front(keys, id, number) else to_ready(keys, id, number, false) end
  wake(keys)
end
redis.call('HSET', job, 'priority', priority)
return 0
