--- Makes the next runs of the schedules whose runs have just started, and returns what each schedule asks for.
-- needs: events enqueue scheduling
-- keys: counter wait prioritized delayed active meta events marker priority_counter repeat_set
--   stalled
-- args: base now started
-- returns: per started run nothing when it is of no schedule, else the next run's id or '', the schedule's policy
--          for missed runs, the policy for runs that overlap, a run of it that is still going on or ''
-- A full server refuses nothing more to a script that has written: schedules go on there.
redis.call('SREM', stalled, '')
now = tonumber(now)
local any_ready, any_delayed, cap = false, false, nil
local running

-- Of two that were started at the same time, the one that was due earlier goes on.
local function run_before(id, prefix)
  running = running or redis.call('LRANGE', active, 0, -1)
  local ours, due = tonumber(redis.call('HGET', base .. id, 'processedOn')), tonumber(id:match('%d+$'))
  for _, other in ipairs(running) do
    if other ~= id and other:sub(1, #prefix) == prefix and redis.call('EXISTS', base .. other .. LOCK) == 1 then
      local start = tonumber(redis.call('HGET', base .. other, 'processedOn')) or 0
      if start < ours or start == ours and (tonumber(other:match('%d+$')) or 0) < due then return other end
    end
  end
  return ''
end

local function follow(id, prefix, schedule, record, given)
  local score = redis.call('ZSCORE', repeat_set, schedule)
  -- A run that is tried again, or was made by another worker, is not the newest: its next one is there.
  if not score or id ~= prefix .. number_text(score) then return '' end
  local every, runs_all = tonumber(record[3]) or given.every, record[5] == 'run_all'
  local last = given['end']
  if last and now > last and not runs_all then return '' end
  local due = runs_all and given.after_last or given.after_now
  if every then
    due = next_slot(tonumber(score), every, now, tonumber(record[4]) or given.offset or 0, nil, runs_all)
  end
  if not due or last and due > last then return '' end
  cap = cap or stream_cap(meta)
  local next_id = prefix .. number_text(due)
  if redis.call('EXISTS', base .. next_id) == 1 then
    redis.call('XADD', events, '*', 'event', 'duplicated', 'jobId', next_id)
    return ''
  end
  local run = {
    every = every, name = record[1], data = record[2] or '{}', options = given.options, priority = given.priority,
    lifo = given.lifo,
  }
  if record[7] then
    redis.call('HINCRBY', base .. RUN .. schedule, 'ic', 1)
  else
    -- A repeatable job of BullMQ 5 has its name and its payload in the job alone.
    local of = redis.call('HMGET', base .. id, 'name', 'data')
    run.name, run.data = of[1], of[2] or '{}'
  end
  redis.call('ZADD', repeat_set, number_text(due), schedule)
  if create_run(keys, base, next_id, schedule, run, now, due) then any_delayed = true else any_ready = true end
  return next_id
end

local answers = {}
for at, given in ipairs(cmsgpack.unpack(started)) do
  local id = given.id
  local prefix = id:match('^(.*:)%d+$')
  local schedule = prefix and redis.call('HGET', base .. id, 'rjk')
  if schedule then
    local record = redis.call('HMGET', base .. RUN .. schedule, 'name', 'data', 'every', 'offset', 'misfire',
      'overlap', 'ic')
    local next_id = given.options and follow(id, prefix, schedule, record, given) or ''
    answers[at] = {next_id, record[5] or '', record[6] or '', record[6] == 'skip' and run_before(id, prefix) or ''}
  else
    answers[at] = {}
  end
end
if cap then trim(events, cap) end
wake_workers(keys, any_ready, any_delayed)
return answers
