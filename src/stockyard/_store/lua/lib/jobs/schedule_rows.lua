-- A schedule as readers get it.
-- needs: ended_schedules

-- Whether the run that a schedule names is still to come: an ended one is not, nor the last one once it has started.
local function is_to_come(keys, base, record, run, now)
  local job = base .. run
  if redis.call('EXISTS', job) == 0 or redis.call('ZSCORE', keys.completed, run)
    or redis.call('ZSCORE', keys.failed, run) then
    return 0
  end
  local of = redis.call('HMGET', job, 'processedOn', 'ats')
  return (of[1] or of[2]) and is_over(record, job, now) and 0 or 1
end

-- Its id, the time of its run, that run's options if it exists, the fields of its record, and whether the run is to come.
local function schedule_row(keys, base, id, due, now)
  local record = base .. RUN .. id
  local run = RUN .. id .. ':' .. due
  local fields = redis.pcall('HMGET', record, 'name', 'every', 'pattern', 'tz', 'offset', 'limit', 'startDate',
    'endDate', 'ic', 'data', 'opts', 'misfire', 'overlap',
    'calendar', 'during', 'session')
  if fields.err then return {id, due, redis.call('HGET', base .. run, 'opts'), {}, 0} end
  return {id, due, redis.call('HGET', base .. run, 'opts'), fields, is_to_come(keys, base, record, run, now)}
end
