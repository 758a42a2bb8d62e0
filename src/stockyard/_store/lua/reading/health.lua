--- Counts a queue's jobs by state, with the oldest that waits and the longest that runs.
-- keys: wait prioritized active delayed waiting_children completed failed paused meta repeat_set
-- args: base
-- returns: counts (wait, prioritized, active, delayed, waiting-children, completed, failed, legacy paused), whether
--          paused, creation of the oldest waiting, start of the longest running (ms, 0 for none), how many schedules
local function time_of(id, field)
  return tonumber(id and redis.call('HGET', base .. id, field) or 0) or 0
end

local function earlier(a, b)
  if a == 0 then return b end
  if b == 0 then return a end
  return math.min(a, b)
end

-- In each priority class the first is the oldest; jump from class to class.
local function oldest_prioritized()
  local oldest, class = 0, 0
  for _ = 1, 100 do
    local found = redis.call('ZRANGEBYSCORE', prioritized, string.format('%.0f', class * 4294967296), '+inf',
      'WITHSCORES', 'LIMIT', 0, 1)
    if not found[1] then break end
    oldest = earlier(oldest, time_of(found[1], 'timestamp'))
    class = math.floor(found[2] / 4294967296) + 1
  end
  return oldest
end

local waiting_since = earlier(time_of(redis.call('LINDEX', wait, -1), 'timestamp'), oldest_prioritized())
local running_since = time_of(redis.call('LINDEX', active, -1), 'processedOn')
return {
  redis.call('LLEN', wait), redis.call('ZCARD', prioritized), redis.call('LLEN', active), redis.call('ZCARD', delayed),
  redis.call('ZCARD', waiting_children), redis.call('ZCARD', completed), redis.call('ZCARD', failed),
  redis.call('LLEN', paused), redis.call('HEXISTS', meta, 'paused'), waiting_since, running_since,
  redis.call('ZCARD', repeat_set),
}
