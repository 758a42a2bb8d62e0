-- Jobs whose worker is gone.

-- A run of a live schedule is never given up: its schedule would end with it.
local function is_of_live_schedule(base, job, repeat_set)
  local schedule = redis.call('HGET', job, 'rjk')
  return schedule and (redis.call('EXISTS', base .. RUN .. schedule) == 1
    or redis.call('ZSCORE', repeat_set, schedule))
end

-- The reply that carried the record was lost: the job has not run, so that its start counts neither as a stall nor
-- as a start. Three times at most, for a record may be what kills its workers.
local function was_never_read(job, id, unread)
  local mark = redis.call('HGET', unread, id)
  if not mark then return false end
  local start, times = mark:match('^(%d+):(%d+)$')
  if redis.call('HGET', job, 'ats') ~= start or tonumber(times) >= 3 then
    redis.call('HDEL', unread, id)
    return false
  end
  redis.call('HINCRBY', job, 'ats', -1)
  redis.call('HSET', unread, id, '0:' .. times + 1)
  return true
end

-- Puts a job from active back into wait, or fails it there if that happened too often. Says whether it exists, and
-- whether it stalled: a start that no worker heard of is none.
local function return_stalled(base, id, max_stalled, active, wait, events, repeat_set, unread)
  local job = base .. id
  redis.call('LREM', active, -1, id)
  if redis.call('EXISTS', job) == 0 then return false, false end
  if was_never_read(job, id, unread) then
    redis.call('RPUSH', wait, id)
    redis.call('XADD', events, '*', 'event', 'waiting', 'jobId', id, 'prev', 'active')
    return true, false
  end
  local times = redis.call('HINCRBY', job, 'stc', 1)
  if times > tonumber(max_stalled) and not is_of_live_schedule(base, job, repeat_set) then
    redis.call('HSET', job, 'defa', 'job stalled more than allowable limit')
  end
  redis.call('RPUSH', wait, id)
  redis.call('XADD', events, '*', 'event', 'waiting', 'jobId', id, 'prev', 'active')
  redis.call('XADD', events, '*', 'event', 'stalled', 'jobId', id)
  return true, true
end
