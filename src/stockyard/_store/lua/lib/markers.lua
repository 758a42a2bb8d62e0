-- The marker that wakes a blocked worker.

local function is_blocked(meta, active)
  local limits = redis.call('HMGET', meta, 'paused', 'concurrency')
  if limits[1] then return true end
  return limits[2] and redis.call('LLEN', active) >= tonumber(limits[2])
end

local function ring(marker)
  redis.call('ZADD', marker, 0, '0')
end

local function ring_when_due(marker, delayed)
  local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  if first[2] then
    redis.call('ZADD', marker, first[2] / 4096, '1')
  end
end
