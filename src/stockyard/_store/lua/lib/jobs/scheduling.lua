-- The runs of schedules: when the next one is due, and how it is made.
-- needs: enqueue

local function number_text(number)
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
  return '{"repeat":{"count":' .. number_text(count) .. ',' .. given.rule:sub(2) .. ',' .. given.options:sub(2)
end

-- Returns whether the run is delayed. Of its options, those that are known only now are put before the rest.
local function create_run(keys, base, id, schedule, run, now, due)
  local job = base .. id
  local delay = math.max(0, due - now)
  local options = '{"jobId":' .. cjson.encode(id) .. ',"delay":' .. number_text(delay)
    .. (run.every and '' or ',"prevMillis":' .. number_text(due)) .. ',' .. run.options:sub(2)
  redis.call('INCR', keys.counter)
  redis.call('HSET', job, 'name', run.name, 'data', run.data, 'opts', options, 'timestamp', number_text(now),
    'delay', number_text(delay), 'priority', number_text(run.priority), 'rjk', schedule)
  redis.call('XADD', keys.events, '*', 'event', 'added', 'jobId', id, 'name', run.name)
  return enqueue(keys, id, now, delay, run.priority, run.lifo)
end
