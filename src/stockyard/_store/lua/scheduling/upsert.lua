--- Creates or changes a schedule: its record is written anew, and so is its pending run.
-- parts: events markers placing removing scheduling
-- keys: counter wait prioritized delayed active completed failed paused meta events marker priority_counter repeat_set
-- args: base id now schedule
-- returns: id of the pending run, when it is due; or -10 when a cron run of that time exists, -11 when no slot is free
local given = cmsgpack.unpack(schedule)
now = tonumber(now)
local record = base .. 'repeat:' .. id
local score = tonumber(redis.call('ZSCORE', repeat_set, id))
local known = redis.call('HMGET', record, 'every', 'offset', 'ic')

local function run_at(due)
  return 'repeat:' .. id .. ':' .. text_of(due)
end

local function take_out(run)
  redis.call('ZREM', delayed, run)
  redis.call('ZREM', prioritized, run)
  redis.call('ZREM', completed, run)
  redis.call('ZREM', failed, run)
  redis.call('LREM', wait, 1, run)
  redis.call('LREM', paused, 1, run)
  release_deduplication_of_removed(base, base .. run, run)
  drop(base, run)
end

-- The run to be replaced, if it still waits.
local pending = score and run_at(score)
if pending and not (redis.call('EXISTS', base .. pending) == 1
  and (redis.call('ZSCORE', delayed, pending) or redis.call('ZSCORE', prioritized, pending)
    or redis.call('LPOS', wait, pending) or redis.call('LPOS', paused, pending))) then
  pending = nil
end

local function is_taken(run)
  return run ~= pending and redis.call('EXISTS', base .. run) == 1
end

local every, due, offset = given.every, given.due, given.offset or 0
if every then
  local goes_on = score and tonumber(known[1]) == every
  due = next_slot(goes_on and score or nil, every, now, offset, given.start)
  if offset == 0 then offset = due % every end
  if pending and goes_on then due = score end
  for slot = 0, 32 do
    if not is_taken(run_at(due)) then break end
    if slot == 32 then return -11 end
    due = due + every
  end
elseif is_taken(run_at(due)) then
  local run = run_at(due)
  local is_over = redis.call('ZSCORE', completed, run) or redis.call('ZSCORE', failed, run)
  if not (pending and is_over) then return -10 end
  take_out(run)
end
-- While a run waits, the offset stays what it was unless a new one is given.
if pending then offset = given.offset or known[2] end

if pending then take_out(pending) end
local cap = stream_cap(meta)
redis.call('ZADD', repeat_set, text_of(due), id)
redis.call('DEL', record)
redis.call('HSET', record, 'name', given.name, 'ic', known[3] or 1, unpack(given.fields))
if offset then redis.call('HSET', record, 'offset', text_of(tonumber(offset))) end
local keys = {
  counter = counter, wait = wait, prioritized = prioritized, delayed = delayed, events = events,
  priority_counter = priority_counter,
}
local is_delayed = create_run(keys, base, run_at(due), id, given, now, due)
trim(events, cap)
if is_delayed then ring_when_due(marker, delayed) elseif not is_blocked(meta, active) then ring(marker) end
return {run_at(due), text_of(due)}
