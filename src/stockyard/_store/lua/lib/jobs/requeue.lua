-- Ways out of active for a job that has not ended: retried, delayed, requeued, waiting for its children.
-- needs: transitions promoting
-- `batch` is what one call writes: keys, the time, and what is gathered for the end of the call.

-- The lock goes together with those of the other runs. Returns whether the job was active.
local function leave_active(batch, job, id)
  batch.locks[#batch.locks + 1] = job .. LOCK
  batch.freed[#batch.freed + 1] = id
  return out_of_active(batch.keys, id)
end

local function wait_until_due(batch, job, id, delay)
  local keys = batch.keys
  redis.call('HSET', job, 'delay', delay)
  local due = to_delayed(keys, id, batch.now, delay)
  redis.call('XADD', keys.events, 'MAXLEN', '~', batch.cap, '*', 'event', 'delayed', 'jobId', id, 'delay', due)
  batch.any_delayed = true
end

local function tell_ready(batch, id)
  redis.call('XADD', batch.keys.events, 'MAXLEN', '~', batch.cap, '*', 'event', 'waiting', 'jobId', id,
    'prev', 'active')
  batch.any_ready = true
end

-- What is due was there before a job that is tried again now: it goes first.
local function promote_before(batch)
  if batch.is_promoted then return end
  batch.is_promoted = true
  if promote_due(batch.keys, batch.base, batch.now) then batch.any_ready = true end
end

local function run_again(batch, job, id, fields, outcome)
  local delay = outcome[4]
  redis.call('HSET', job, 'failedReason', outcome[2], 'stacktrace', outcome[3])
  if not leave_active(batch, job, id) then return WRONG_STATE end
  redis.call('HINCRBY', job, 'atm', 1)
  if delay > 0 then
    wait_until_due(batch, job, id, delay)
  else
    promote_before(batch)
    to_ready(batch.keys, id, tonumber(fields[6]) or 0, outcome[5])
    tell_ready(batch, id)
  end
  return 0
end

local function delay_job(batch, job, id, _, outcome)
  if not leave_active(batch, job, id) then return WRONG_STATE end
  wait_until_due(batch, job, id, outcome[2])
  return 0
end

-- As if it had not been taken: next in line, no attempt used up.
local function requeue(batch, job, id, fields, outcome)
  local keys, limit = batch.keys, outcome[2] or 0
  if limit > 0 then redis.call('SET', keys.limiter, '9007199254740991', 'PX', limit) end
  if not leave_active(batch, job, id) then return WRONG_STATE end
  to_front(keys, id, tonumber(fields[6]) or 0)
  tell_ready(batch, id)
  return 0
end

-- A child that ended in between has found no parent to release: the job goes on at once.
local function wait_for_children(batch, job, id, fields, outcome)
  if redis.call('EXISTS', job .. DEPENDENCIES) == 0 then return requeue(batch, job, id, fields, outcome) end
  if not leave_active(batch, job, id) then return WRONG_STATE end
  to_parent(batch.keys, id, batch.moment)
  redis.call('XADD', batch.keys.events, '*', 'event', 'waiting-children', 'jobId', id, 'prev', 'active')
  return 0
end
