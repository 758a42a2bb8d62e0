--- Writes how runs ended, then starts as many jobs as the worker has room for.
-- parts: decoding events markers placing promoting removing parents retention deduplication rows taking
-- keys: counter wait prioritized delayed active completed failed meta events marker priority_counter stalled limiter
-- args: base now settled order
-- returns: a code per ended run (0, or why not), rows of started jobs, ms to wait for a limit, next due time, its time
local wanted = cmsgpack.unpack(order)
if now == '' then
  -- This call was sent before it was known when it would run.
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000) + wanted.clock_offset
end
now = tonumber(now)
local moment = string.format('%.0f', now)
local keys = {
  counter = counter, wait = wait, prioritized = prioritized, delayed = delayed, active = active, meta = meta,
  events = events, marker = marker, priority_counter = priority_counter, limiter = limiter,
}
local cap = stream_cap(meta)
local locks, freed = {}, {}
local any_ready, any_delayed, any_finished = false, false, false
local finished_with = {}

local function lock_error(held, token)
  if token == '0' or held == token then return nil end
  return held and -6 or -2
end

local function unlock(job, id)
  locks[#locks + 1] = job .. ':lock'
  freed[#freed + 1] = id
end

local function end_run(job, id, fields, outcome)
  local is_success = outcome[1] == 'completed'
  local value, keep = outcome[2], outcome[is_success and 3 or 5]
  local set, age, count, limit = is_success and completed or failed, keep_policy(keep)
  local made = (tonumber(fields[5]) or 0) + 1
  -- The first write is the one that a full server refuses: nothing is half-written.
  if is_success then
    redis.call('HSET', job, 'returnvalue', value, 'finishedOn', moment, 'atm', made)
  else
    redis.call('HSET', job, 'failedReason', value, 'stacktrace', outcome[3], 'finishedOn', moment, 'atm', made)
  end
  unlock(job, id)
  if redis.call('LREM', active, -1, id) == 0 then
    redis.call('HDEL', job, 'finishedOn')
    return -3
  end
  any_finished = true
  if fields[4] then
    release_deduplication(base, fields[4], id)
    requeue_kept_last(keys, base, fields[4], now)
  end
  if fields[2] then
    if is_success then tell_parent_completed(fields[2], fields[3], job, value, now)
    else tell_parent_failed(fields[2], fields[3], job, value, now) end
  end
  if count == 0 then
    forget_child(job, job, now)
    drop(base, id)
  else
    redis.call('ZADD', set, moment, id)
    if not is_success then redis.call('HDEL', job, 'defa') end
    if age or count > 0 then
      finished_with[set .. ' ' .. tostring(age) .. ' ' .. count] = {set, age, count, limit}
    end
  end
  if is_success then
    redis.call('XADD', events, '*', 'event', 'completed', 'jobId', id, 'returnvalue', value, 'prev', 'active')
  else
    redis.call('XADD', events, '*', 'event', 'failed', 'jobId', id, 'failedReason', value, 'prev', 'active')
    if made >= outcome[4] then
      redis.call('XADD', events, '*', 'event', 'retries-exhausted', 'jobId', id, 'attemptsMade', made)
    end
  end
  return 0
end

local function run_again(job, id, fields, outcome)
  local delay = outcome[4]
  redis.call('HSET', job, 'failedReason', outcome[2], 'stacktrace', outcome[3])
  unlock(job, id)
  if redis.call('LREM', active, -1, id) == 0 then return -3 end
  redis.call('HINCRBY', job, 'atm', 1)
  if delay > 0 then
    local score, due = delay_score(delayed, now, delay)
    redis.call('HSET', job, 'delay', delay)
    redis.call('ZADD', delayed, score, id)
    redis.call('XADD', events, 'MAXLEN', '~', cap, '*', 'event', 'delayed', 'jobId', id, 'delay', due)
    any_delayed = true
  else
    make_ready(wait, prioritized, priority_counter, id, tonumber(fields[6]) or 0, outcome[5])
    redis.call('XADD', events, 'MAXLEN', '~', cap, '*', 'event', 'waiting', 'jobId', id, 'prev', 'active')
    any_ready = true
  end
  return 0
end

-- As if it had not been taken: next in line, no attempt used up.
local function hand_back(job, id, fields)
  local priority = tonumber(fields[6]) or 0
  unlock(job, id)
  if redis.call('LREM', active, -1, id) == 0 then return -3 end
  if priority > 0 then
    redis.call('ZADD', prioritized, priority * 4294967296, id)
  else
    redis.call('RPUSH', wait, id)
  end
  redis.call('XADD', events, 'MAXLEN', '~', cap, '*', 'event', 'waiting', 'jobId', id, 'prev', 'active')
  any_ready = true
  return 0
end

local function settle(id, token, outcome)
  local job = base .. id
  local fields = redis.call('HMGET', job, 'name', 'parentKey', 'parent', 'deid', 'atm', 'priority')
  if not fields[1] and redis.call('EXISTS', job) == 0 then return -1 end
  local kind = outcome[1]
  if kind == 'completed' and redis.call('EXISTS', job .. ':dependencies', job .. ':unsuccessful') > 0 then
    return redis.call('EXISTS', job .. ':dependencies') == 1 and -4 or -9
  end
  local refused = lock_error(redis.call('GET', job .. ':lock'), token)
  if refused then return refused end
  if kind == 'retried' then return run_again(job, id, fields, outcome) end
  if kind == 'handed back' then return hand_back(job, id, fields) end
  return end_run(job, id, fields, outcome)
end

local codes = {}
for index, run in ipairs(cmsgpack.unpack(settled)) do
  -- One job with a broken key must not keep its neighbours from being written.
  local ok, code = pcall(settle, run[1], run[2], run[3])
  codes[index] = ok and code or tostring(type(code) == 'table' and code.err or code)
end
if #locks > 0 then
  redis.call('DEL', unpack(locks))
  redis.call('SREM', stalled, unpack(freed))
end
for _, with in pairs(finished_with) do keep_within(with[1], base, with[2], with[3], with[4], now) end
if any_finished then trim(events, cap) end
if any_ready and not is_blocked(meta, active) then ring(marker) end
if any_delayed then ring_when_due(marker, delayed) end

local rows, limited, due, blocked = {}, 0, 0, false
if wanted.take > 0 then rows, limited, due, blocked = take(keys, base, now, moment, wanted) end
if any_finished and #rows == 0 and limited == 0 and due == 0 and not blocked
  and redis.call('EXISTS', wait, active, prioritized) == 0 then
  redis.call('XADD', events, '*', 'event', 'drained')
end
return {codes, rows, limited, due, moment}
