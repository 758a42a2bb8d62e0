--- Counts a queue's jobs by state, with the oldest that waits, the longest that runs and the latest schedule.
-- parts: decoding ended_schedules
-- keys: wait prioritized active delayed waiting_children completed failed paused meta repeat_set metrics_completed
--   metrics_failed
-- args: base now
-- returns: counts (wait, prioritized, active, delayed, waiting-children, completed, failed, legacy paused), whether
--   paused, creation of the oldest waiting (ms, 0 for none), of the longest running its start, its id, its worker and
--   whether its lease is held, how many schedules, of the latest one when its run was due and its id, how many jobs
--   workers counted as completed and as failed
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
local running = redis.call('LINDEX', active, -1)
local run = running and redis.call('HMGET', base .. running, 'processedOn', 'pb') or {}

-- Whose run should have started, and with it the next one have been made. Those that ended keep their places.
local late = {0, ''}
local due = redis.call('ZRANGEBYSCORE', repeat_set, 1, now, 'WITHSCORES', 'LIMIT', 0, 1000)
for at = 1, #due, 2 do
  local id, moment = due[at], string.format('%.0f', due[at + 1])
  local record = base .. 'repeat:' .. id
  if redis.call('HEXISTS', record, 'ic') == 1 and not is_over(record, record .. ':' .. moment, now) then
    late = {tonumber(moment), id}
    break
  end
end

-- A broken count must not cost the rest.
local function counted(key)
  local found = redis.pcall('HGET', key, 'count')
  return type(found) == 'string' and tonumber(found) or 0
end

return {
  redis.call('LLEN', wait), redis.call('ZCARD', prioritized), redis.call('LLEN', active), redis.call('ZCARD', delayed),
  redis.call('ZCARD', waiting_children), redis.call('ZCARD', completed), redis.call('ZCARD', failed),
  redis.call('LLEN', paused), redis.call('HEXISTS', meta, 'paused'), waiting_since, tonumber(run[1] or 0) or 0,
  running or '', run[2] or '', running and redis.call('EXISTS', base .. running .. ':lock') or 0,
  redis.call('ZCARD', repeat_set), late[1], late[2], counted(metrics_completed), counted(metrics_failed),
}
