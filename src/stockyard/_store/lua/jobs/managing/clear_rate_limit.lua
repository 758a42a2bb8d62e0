--- Begins a new window of the rate limit, and wakes a worker that may go on.
-- needs: markers
-- keys: wait prioritized active meta marker limiter
-- args:
-- returns: 1, or 0 when there was none
local cleared = redis.call('DEL', limiter)
if redis.call('EXISTS', wait, prioritized) > 0 then wake(keys) end
return cleared
