-- Where a new job waits first.
-- needs: markers transitions

-- Returns whether it is delayed; the caller wakes workers.
local function enqueue(keys, id, timestamp, delay, priority, lifo)
  if delay > 0 then
    local due = to_delayed(keys, id, timestamp, delay)
    redis.call('XADD', keys.events, '*', 'event', 'delayed', 'jobId', id, 'delay', due)
    return true
  end
  to_ready(keys, id, priority, lifo)
  redis.call('XADD', keys.events, '*', 'event', 'waiting', 'jobId', id)
  return false
end

local function wake_workers(keys, any_ready, any_delayed)
  if any_ready then wake(keys) end
  if any_delayed then add_delay_marker(keys) end
end
