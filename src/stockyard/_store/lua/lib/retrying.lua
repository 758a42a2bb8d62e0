-- Puts a finished job back to where it waits.

-- Its parent counts on it again, if it still knows it.
local function give_back(parent, job, state)
  local known
  if state == 'failed' then
    known = redis.call('ZREM', parent .. ':unsuccessful', job) + redis.call('HDEL', parent .. ':failed', job)
  else
    known = redis.call('HDEL', parent .. ':processed', job)
  end
  if known > 0 then redis.call('SADD', parent .. ':dependencies', job) end
end

-- The caller has taken it out of the set of that state, and rings the marker.
local function wait_again(keys, job, id, state, cap)
  local fields = redis.call('HMGET', job, 'priority', 'opts', 'parentKey')
  redis.call('HDEL', job, 'finishedOn', 'processedOn', 'defa', state == 'failed' and 'failedReason' or 'returnvalue')
  make_ready(keys.wait, keys.prioritized, keys.priority_counter, id, tonumber(fields[1]) or 0,
    decode_object(fields[2]).lifo)
  if fields[3] and redis.call('EXISTS', fields[3]) == 1 then give_back(fields[3], job, state) end
  redis.call('XADD', keys.events, 'MAXLEN', '~', cap, '*', 'event', 'waiting', 'jobId', id, 'prev', state)
end
