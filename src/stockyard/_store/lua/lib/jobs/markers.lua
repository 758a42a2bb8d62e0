-- The marker that wakes a blocked worker.

local function add_marker(keys)
  redis.call('ZADD', keys.marker, 0, '0')
end

-- A job became ready: wakes one unless the queue is paused, or as many run as may. `read` is what the caller has read of
-- the two already, if it has.
local function wake(keys, read)
  local paused, concurrency = unpack(read or redis.call('HMGET', keys.meta, 'paused', 'concurrency'))
  if paused or concurrency and redis.call('LLEN', keys.active) >= tonumber(concurrency) then return end
  add_marker(keys)
end

-- A job was delayed: a worker waits until the first one is due.
local function add_delay_marker(keys)
  local first = redis.call('ZRANGE', keys.delayed, 0, 0, 'WITHSCORES')
  if first[2] then
    redis.call('ZADD', keys.marker, first[2] / 4096, '1')
  end
end
