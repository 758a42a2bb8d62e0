-- Where a new job waits first.
-- needs: markers placing

-- Returns whether it is delayed; the caller wakes workers.
local function enter(keys, id, timestamp, delay, priority, lifo)
  if delay > 0 then
    local score, due = delay_score(keys.delayed, timestamp, delay)
    redis.call('ZADD', keys.delayed, score, id)
    redis.call('XADD', keys.events, '*', 'event', 'delayed', 'jobId', id, 'delay', due)
    return true
  end
  make_ready(keys.wait, keys.prioritized, keys.priority_counter, id, priority, lifo)
  redis.call('XADD', keys.events, '*', 'event', 'waiting', 'jobId', id)
  return false
end

local function wake(keys, any_ready, any_delayed)
  if any_ready and not is_blocked(keys.meta, keys.active) then ring(keys.marker) end
  if any_delayed then ring_when_due(keys.marker, keys.delayed) end
end
