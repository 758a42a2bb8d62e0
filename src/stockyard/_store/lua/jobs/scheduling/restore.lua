--- Makes the missing next run of a schedule, and announces that it was missing.
-- needs: decoding events enqueue scheduling
-- keys: counter wait prioritized delayed active completed failed meta events marker priority_counter repeat_set
--   stalled
-- args: base id now schedule
-- returns: the run's id, or '' when it is not missing any more
-- A full server refuses nothing more to a script that has written: schedules are repaired there, too.
redis.call('SREM', stalled, '')
local given = cmsgpack.unpack(schedule)
now = tonumber(now)
local record, prefix = base .. RUN .. id, RUN .. id .. ':'
local score = tonumber(redis.call('ZSCORE', repeat_set, id))
local stored = redis.call('HMGET', record, 'name', 'data', 'ic', 'missing')
if not score or score ~= given.score or stored[4] ~= number_text(score) then return '' end
given.name, given.data = stored[1] or id, stored[2] or '{}'
local last = prefix .. number_text(score)
local exists = redis.call('EXISTS', base .. last) == 1
if exists and not (redis.call('ZSCORE', completed, last) or redis.call('ZSCORE', failed, last)) then return '' end

-- What was to come is made as it was; a time that is past may have been run already, and is not run twice.
local due, is_same = given.after_now, not exists and score > now
local count = tonumber(stored[3]) or 1
if is_same then
  due = score
elseif given.every then
  due = next_slot(score, given.every, now, given.offset or 0)
end
if not is_same then
  local run = decode_object(redis.call('HGET', base .. last, 'opts'))['repeat']
  count = (type(run) == 'table' and tonumber(run.count) or count) + 1
end
if not due or given['end'] and due > given['end'] or redis.call('EXISTS', base .. prefix .. number_text(due)) == 1 then return '' end
given.options = numbered(given, count)
local cap = stream_cap(meta)
redis.call('HDEL', record, 'missing')
if not is_same then redis.call('HINCRBY', record, 'ic', 1) end
redis.call('ZADD', repeat_set, number_text(due), id)
local run = prefix .. number_text(due)
local is_delayed = create_run(keys, base, run, id, given, now, due)
redis.call('XADD', events, '*', 'event', 'schedule-repaired', 'jobId', run, 'scheduleId', id)
trim(events, cap)
wake_workers(keys, not is_delayed, is_delayed)
return run
