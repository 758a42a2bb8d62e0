--- Counts a queue's jobs by state, with the oldest that waits, the longest that runs and the latest schedule.
-- needs: ended_schedules oldest_lines version_sides
-- keys: wait prioritized active delayed waiting_children completed failed paused meta repeat_set metrics_completed
--   metrics_failed effects_unknown versions releases lines counts halts breaker keys_parked keys_lines
--   keys_waiting
-- args: base now
-- returns: counts (wait, prioritized, active, delayed, waiting-children, completed, failed, legacy paused), whether
--   paused, creation of the oldest waiting (ms, 0 for none), of the longest running its start, its id, its worker and
--   whether its lease is held, how many schedules, of the latest one when its run was due and its id, how many jobs
--   workers counted as completed and as failed, how many effects are unknown, since when (ms) the longest is, its key,
--   how many jobs wait whose version nobody understands, how many payloads were replaced, jobs have expired, were dropped
--   and were refused, the halt of the whole queue, of how many keys there is one, that of its circuit breaker, whose trial
--   runs, how many keys are parked and jobs wait in lines of keys, the version and the share of the canary, what could not
--   be read and why
local damage = {}

-- Any client may have written anything: what cannot be read costs its own number alone.
local function spoilt(what, why)
  damage[#damage + 1] = string.sub(what, 1, 100) .. ': ' .. why
end

local function ask(what, ...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    spoilt(what, reply.err)
    return nil
  end
  return reply
end

local LATEST = 253402300799999

local function moment(what, text)
  local found = tonumber(text or 0)
  -- Not a number fails both comparisons.
  if found and found >= 0 and found <= LATEST then return math.floor(found) end
  spoilt(what, 'no time: ' .. string.sub(text, 1, 40))
  return 0
end

local function time_of(id, field)
  if not id then return 0 end
  return moment('job ' .. id .. ' ' .. field, ask('job ' .. id, 'HGET', base .. id, field))
end

local function earlier(a, b)
  if a == 0 then return b end
  if b == 0 then return a end
  return math.min(a, b)
end

-- In each priority class the first is the oldest; jump from class to class. Of jobs that age, the next ones to run are
-- looked at.
local function oldest_prioritized()
  local oldest, class = 0, 0
  local aging = redis.pcall('ZRANGEBYSCORE', prioritized, '-inf', '(0', 'LIMIT', 0, 100)
  for _, id in ipairs(aging.err and {} or aging) do oldest = earlier(oldest, time_of(id, 'timestamp')) end
  for _ = 1, 100 do
    local found = redis.pcall('ZRANGEBYSCORE', prioritized, string.format('%.0f', class * 4294967296), '+inf',
      'WITHSCORES', 'LIMIT', 0, 1)
    if found.err or not found[1] then break end
    oldest = earlier(oldest, time_of(found[1], 'timestamp'))
    class = math.floor(found[2] / 4294967296) + 1
    if class >= 2147483648 then break end
  end
  return oldest
end

local waits = ask('wait', 'LLEN', wait)
local has_priority = ask('prioritized', 'ZCARD', prioritized)
local runs = ask('active', 'LLEN', active)
local waiting_since = earlier(
  time_of(waits and redis.call('LINDEX', wait, -1), 'timestamp'), has_priority and oldest_prioritized() or 0)
for _, id in ipairs(first_of_oldest_lines(keys, base)) do
  waiting_since = earlier(waiting_since, time_of(id, 'timestamp'))
end
local running = runs and redis.call('LINDEX', active, -1)
local run = running and ask('job ' .. running, 'HMGET', base .. running, 'processedOn', 'pb') or {}
local running_since = running and moment('job ' .. running .. ' processedOn', run[1]) or 0

-- Whose run should have started, and with it the next one have been made. Those that ended keep their places.
local late = {0, ''}
local schedules = ask('repeat', 'ZCARD', repeat_set)
local due = schedules and redis.call('ZRANGEBYSCORE', repeat_set, 1, now, 'WITHSCORES', 'LIMIT', 0, 1000) or {}
for at = 1, #due, 2 do
  local id, due_at = due[at], string.format('%.0f', due[at + 1])
  local record = base .. RUN .. id
  if ask('schedule ' .. id, 'HEXISTS', record, 'ic') == 1 then
    local is_read, is_ended = pcall(is_over, record, record .. ':' .. due_at, now)
    if not is_read then spoilt('schedule ' .. id, 'its next run cannot be read') end
    if is_read and not is_ended then
      late = {tonumber(due_at), id}
      break
    end
  end
  if #damage > 100 then break end
end

local function counted(what, key)
  local found = ask(what, 'HGET', key, 'count')
  local number = tonumber(found or 0)
  if number and number >= 0 and number < 9007199254740992 then return math.floor(number) end
  spoilt(what, 'no count: ' .. string.sub(found, 1, 40))
  return 0
end

-- Jobs of versions that no worker has asked for within a minute.
local function not_understood()
  local seen, number = ask('versions', 'HGETALL', versions) or {}, 0
  local in_lines = {}
  for at = 1, #seen, 2 do
    if now - (tonumber(seen[at + 1]) or 0) > 60000 then
      in_lines = next(in_lines) and in_lines or select(2, pcall(count_in_limit_lines, base, lines))
      number = number + (in_lines[seen[at]] or 0)
      for _, side in ipairs({'', CANARY, STABLE}) do
        number = number + (ask('version ' .. seen[at], 'ZCARD', line_of(base, seen[at], side)) or 0)
      end
    end
  end
  return number
end

local unknown = ask('effects', 'ZCARD', effects_unknown)
local longest_unknown = unknown and redis.call('ZRANGE', effects_unknown, 0, 0, 'WITHSCORES') or {}
local in_lines = tonumber(ask('lines', 'GET', keys_waiting) or 0) or 0

local function tallied(found, at)
  local number = tonumber(found and found[at] or 0)
  return number and number >= 0 and number < 9007199254740992 and math.floor(number) or 0
end

local tallies = ask('counts', 'HMGET', counts, 'replaced', 'expired', 'dropped', 'refused')
local halt = ask('halts', 'HMGET', halts, 'all', 'version') or {}
local halt_fields = halt[2] and redis.call('HLEN', halts) or 0
local halted_keys = halt_fields - (halt[1] and 1 or 0) - (halt[2] and 1 or 0)
local canary = ask('releases', 'HMGET', releases, 'canary', 'share') or {}
local open = ask('breaker', 'HMGET', breaker, 'open', 'trial') or {}

return {
  waits or 0, has_priority or 0, runs or 0, ask('delayed', 'ZCARD', delayed) or 0,
  ask('waiting-children', 'ZCARD', waiting_children) or 0, ask('completed', 'ZCARD', completed) or 0,
  ask('failed', 'ZCARD', failed) or 0, ask('paused', 'LLEN', paused) or 0,
  ask('meta', 'HEXISTS', meta, 'paused') or 0, waiting_since, running_since, running or '', run[2] or '',
  running and redis.call('EXISTS', base .. running .. LOCK) or 0, schedules or 0, late[1], late[2],
  counted('metrics:completed', metrics_completed), counted('metrics:failed', metrics_failed),
  unknown or 0, moment('effects', longest_unknown[2]), longest_unknown[1] or '', not_understood(),
  tallied(tallies, 1), tallied(tallies, 2), tallied(tallies, 3), tallied(tallies, 4), halt[1] or '', halted_keys,
  open[1] or '', open[2] or '', ask('parked', 'HLEN', keys_parked) or 0, math.max(in_lines, 0), canary[1] or '',
  canary[2] or '', damage,
}
