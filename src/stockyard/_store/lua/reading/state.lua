--- Tells where a job is, and how it ended if it did.
-- parts: states
-- keys: wait prioritized delayed active completed failed paused waiting_children
-- args: job id
-- returns: the state, whether the record exists, the result as JSON, the failure's reason
local state = state_of({
  wait = wait, prioritized = prioritized, delayed = delayed, active = active, completed = completed,
  failed = failed, paused = paused, waiting_children = waiting_children,
}, id)
local fields = redis.call('HMGET', job, 'returnvalue', 'failedReason')
return {state, redis.call('EXISTS', job), fields[1], fields[2]}
