-- The runs of schedules: when the next one is due, and how it is made.
-- needs: placing

local function text_of(number)
  return string.format('%.0f', number)
end

-- The first slot, or the one that follows a run at `previous`: what was missed is skipped, and the phase kept. Without
-- an offset the first slot is now; an offset of 0 is one.
local function next_slot(previous, every, now, offset, start, runs_all)
  if previous then
    local slot = previous + every
    if slot >= now or runs_all then return slot end
  elseif start then
    return math.max(start, now)
  elseif not offset then
    return now
  end
  local slot = math.floor(now / every) * every + (offset or 0)
  return slot <= now and slot + every or slot
end

-- The options of a run, with the schedule's rule and the number of the run in front.
local function numbered(given, count)
  return '{"repeat":{"count":' .. text_of(count) .. ',' .. given.rule:sub(2) .. ',' .. given.options:sub(2)
end

-- Returns whether the run is delayed. Of its options, those that are known only now are put before the rest.
local function create_run(keys, base, id, schedule, run, now, due)
  local job = base .. id
  local delay = math.max(0, due - now)
  local options = '{"jobId":' .. cjson.encode(id) .. ',"delay":' .. text_of(delay)
    .. (run.every and '' or ',"prevMillis":' .. text_of(due)) .. ',' .. run.options:sub(2)
  redis.call('INCR', keys.counter)
  redis.call('HSET', job, 'name', run.name, 'data', run.data, 'opts', options, 'timestamp', text_of(now),
    'delay', text_of(delay), 'priority', text_of(run.priority), 'rjk', schedule)
  redis.call('XADD', keys.events, '*', 'event', 'added', 'jobId', id, 'name', run.name)
  if delay > 0 then
    local score, moment = delay_score(keys.delayed, now, delay)
    redis.call('ZADD', keys.delayed, score, id)
    redis.call('XADD', keys.events, '*', 'event', 'delayed', 'jobId', id, 'delay', text_of(moment))
    return true
  end
  make_ready(keys.wait, keys.prioritized, keys.priority_counter, id, run.priority, run.lifo)
  redis.call('XADD', keys.events, '*', 'event', 'waiting', 'jobId', id)
  return false
end
