-- Jobs whose worker is gone.

-- A run of a live schedule is never given up: its schedule would end with it.
local function is_of_live_schedule(base, job, repeat_set)
  local schedule = redis.call('HGET', job, 'rjk')
  return schedule and (redis.call('EXISTS', base .. 'repeat:' .. schedule) == 1
    or redis.call('ZSCORE', repeat_set, schedule))
end

-- Puts a job from active back into wait, or fails it there if that happened too often; says whether it exists.
local function return_stalled(base, id, max_stalled, active, wait, events, repeat_set)
  local job = base .. id
  redis.call('LREM', active, -1, id)
  if redis.call('EXISTS', job) == 0 then return false end
  local times = redis.call('HINCRBY', job, 'stc', 1)
  if times > tonumber(max_stalled) and not is_of_live_schedule(base, job, repeat_set) then
    redis.call('HSET', job, 'defa', 'job stalled more than allowable limit')
  end
  redis.call('RPUSH', wait, id)
  redis.call('XADD', events, '*', 'event', 'waiting', 'jobId', id, 'prev', 'active')
  redis.call('XADD', events, '*', 'event', 'stalled', 'jobId', id)
  return true
end
