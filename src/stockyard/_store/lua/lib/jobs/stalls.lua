-- Jobs whose worker is gone.
-- needs: transitions lost_jobs

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

local LOST = 'OutcomeUnknown: the job lost its worker before it began an effect: what it did is unknown'

-- Puts a job from active back into wait, or fails it there if that happened too often, or, where jobs run at most once,
-- if it has begun no effect. Says whether it exists, and whether it stalled: a start that no worker heard of is none.
local function return_stalled(keys, base, id, max_stalled, at_most_once)
  local job = base .. id
  out_of_active(keys, id)
  if redis.call('EXISTS', job) == 0 then return false, false end
  if was_never_read(job, id, keys.unread) then
    to_front(keys, id, 0)
    redis.call('XADD', keys.events, '*', 'event', 'waiting', 'jobId', id, 'prev', 'active')
    return true, false
  end
  local times = redis.call('HINCRBY', job, 'stc', 1)
  if at_most_once == '1' and lose_job(keys, base, id, LOST) then
    redis.call('XADD', keys.events, '*', 'event', 'effect', 'jobId', id, 'key', 'job:' .. id, 'outcome', 'unknown')
  elseif times > tonumber(max_stalled) and not is_of_live_schedule(base, job, keys.repeat_set) then
    redis.call('HSET', job, 'defa', 'job stalled more than allowable limit')
  end
  to_front(keys, id, 0)
  redis.call('XADD', keys.events, '*', 'event', 'waiting', 'jobId', id, 'prev', 'active')
  redis.call('XADD', keys.events, '*', 'event', 'stalled', 'jobId', id)
  return true, true
end
