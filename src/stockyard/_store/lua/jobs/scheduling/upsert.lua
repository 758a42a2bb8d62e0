--- Creates or changes a schedule: what is as it was stays, its next run too; else the record and the run are written.
-- needs: ended_schedules events enqueue transitions removing schedule_rows scheduling
-- keys: counter wait prioritized delayed active completed failed paused meta events marker priority_counter repeat_set
-- args: base id now schedule
-- returns: the schedule as scheduling.list returns one; or RUN_EXISTS when runs of all cron times given exist,
--          SLOTS_TAKEN when no slot of an interval is free, with the id of the last of them, NO_RUN when no run would
--          ever come
local given = cmsgpack.unpack(schedule)
now = tonumber(now)
local record = base .. RUN .. id
local score = tonumber(redis.call('ZSCORE', repeat_set, id))

local function pairs_of(list)
  local fields = {}
  for at = 1, #list, 2 do fields[list[at]] = list[at + 1] end
  return fields
end

local stored = score and pairs_of(redis.call('HGETALL', record)) or {}
local wanted = pairs_of(given.fields)
wanted.name = given.name

local function is_same(...)
  for _, name in ipairs({...}) do
    if stored[name] ~= wanted[name] then return false end
  end
  return stored.ic ~= nil
end

local function run_at(due)
  return RUN .. id .. ':' .. number_text(due)
end

local function take_out(run)
  out_of_waiting(keys, run)
  release_deduplication_of_removed(base, base .. run, run)
  drop(base, run)
end

-- The run of the schedule's time: whether it is there, has ended, or waits to be started for the first time.
local last = score and run_at(score)
local exists = last and redis.call('EXISTS', base .. last) == 1
local has_ended = exists and (redis.call('ZSCORE', completed, last) or redis.call('ZSCORE', failed, last))
local is_pending = false
if exists and not has_ended then
  local starts = redis.call('HMGET', base .. last, 'processedOn', 'ats')
  is_pending = not starts[1] and not starts[2]
    and (redis.call('ZSCORE', delayed, last) or redis.call('ZSCORE', prioritized, last)
      or redis.call('LPOS', wait, last) or redis.call('LPOS', paused, last))
end
-- One that is gone before its time is made as it was; one whose time is past may have been run already.
local is_lost = score and not exists and score > now

local is_offset_same = given.offset == nil or tonumber(stored.offset) == given.offset
local is_timing_same = is_same('every', 'pattern', 'tz', 'limit', 'startDate', 'endDate', 'calendar', 'during',
  'session') and is_offset_same
if is_timing_same and is_same('name', 'data', 'opts', 'misfire', 'overlap')
  and (exists and not has_ended or is_over(record, base .. last, now)) then
  return schedule_row(keys, base, id, number_text(score), now)
end

-- The limit counts all runs, whatever was changed meanwhile.
local made = tonumber(stored.ic)
local count = not made and 1 or (is_pending or is_lost) and made or made + 1

local function is_taken(run)
  return not (is_pending and run == last) and redis.call('EXISTS', base .. run) == 1
end

local every, offset, due = given.every, given.offset, nil
if every then
  local goes_on = score and tonumber(stored.every) == every and is_offset_same
  local phase = offset
  if goes_on and not phase then phase = tonumber(stored.offset) end
  due = goes_on and (is_pending or is_lost) and score
    or next_slot(goes_on and score or nil, every, now, phase, given.start)
  if not offset and not is_pending then offset = phase or due % every end
  for slot = 0, 32 do
    if not is_taken(run_at(due)) then break end
    if slot == 32 then return {SLOTS_TAKEN, run_at(due)} end
    due = due + every
  end
elseif is_timing_same and (is_pending or is_lost) then
  due = score
else
  for _, moment in ipairs(given.dues) do
    if not (is_timing_same and moment <= score) and not is_taken(run_at(moment)) then
      due = moment
      break
    end
  end
  if not due and #given.dues > 0 then return RUN_EXISTS end
  offset = 0
end
-- While a run waits, the offset stays what it was unless a new one is given.
if is_pending and not given.offset then offset = tonumber(stored.offset) end

local is_past_end = not due or given['end'] and due > given['end']
if is_past_end and not is_timing_same then return NO_RUN end
local is_over_now = is_past_end or given.limit and count > given.limit

if is_over_now then
  count, due = made, score
  -- The run that was to come is not made.
  if is_pending or is_lost then count, due = made - 1, math.min(score, now) end
end

local cap = stream_cap(meta)
redis.call('ZADD', repeat_set, number_text(due), id)
if is_pending then take_out(last) end
redis.call('DEL', record)
redis.call('HSET', record, 'name', given.name, 'ic', count, unpack(given.fields))
if offset then redis.call('HSET', record, 'offset', number_text(offset)) end
if is_over_now then return schedule_row(keys, base, id, number_text(due), now) end
local run = {
  every = every, name = given.name, data = given.data, options = numbered(given, count), priority = given.priority,
  lifo = given.lifo,
}
local is_delayed = create_run(keys, base, run_at(due), id, run, now, due)
trim(events, cap)
wake_workers(keys, not is_delayed, is_delayed)
return schedule_row(keys, base, id, number_text(due), now)
