-- How one run ends: for good, with what that means to others, or with its job to run again.
-- needs: events removing transitions bulk_transitions parents end_deduplication promoting

-- The functions are made only for calls that need one. `batch` is what the call writes: keys, the time, and what is
-- gathered for its end. Each is given a run and what was sent of its end, and returns a code.
local function ways_to_end(batch)
  local keys, base, now, moment = batch.keys, batch.base, batch.now, batch.moment
  local ways = {}

  -- The lock goes together with those of the other runs. Returns whether the job was active; from then on
  -- `batch.leaving` names it until it has another place.
  local function leave_active(run)
    batch.locks[#batch.locks + 1] = run.job .. LOCK
    batch.freed[#batch.freed + 1] = run.id
    if not out_of_active(keys, run.id) then return false end
    batch.leaving = run.id
    return true
  end

  local function announce(capped, event, run, ...)
    batch.leaving = nil
    if capped then
      return redis.call('XADD', keys.events, 'MAXLEN', '~', batch.cap, '*', 'event', event, 'jobId', run.id, ...)
    end
    return redis.call('XADD', keys.events, '*', 'event', event, 'jobId', run.id, ...)
  end

  -- Returns whether the record stays.
  local function end_for_good(run, state, value, to_parent_of)
    if run.deduplication then end_deduplication(keys, base, run.deduplication, run.id, now) end
    if run.parent_key then
      to_parent_of(run.parent_key, redis.call('HGET', run.job, 'parent'), run.job, value, now)
    end
    local keep = run.keep
    if keep.count == 0 then
      if run.parent_key then forget_child(run.job, run.job) end
      drop(base, run.id)
    else
      to_done(keys[state], run.id, moment)
      keep[state] = keep.is_bounded
    end
    batch.leaving = nil
    batch.ended[state] = batch.ended[state] + 1
    return keep.count ~= 0
  end

  function ways.completed(run, value)
    if not leave_active(run) then return WRONG_STATE end
    if end_for_good(run, 'completed', value, complete_child) then
      redis.call('HSET', run.job, 'returnvalue', value, 'finishedOn', moment, 'atm', run.attempts + 1)
    end
    local entry = announce(false, 'completed', run, 'returnvalue', value, 'prev', 'active')
    if #value > LARGE then count_large(keys.events, keys.meta, entry, #value) end
    return 0
  end

  function ways.failed(run, reason, stacktrace, allowed)
    if not leave_active(run) then return WRONG_STATE end
    local made = run.attempts + 1
    if end_for_good(run, 'failed', reason, count_failed_child) then
      redis.call('HSET', run.job, 'failedReason', reason, 'stacktrace', stacktrace, 'finishedOn', moment, 'atm', made)
      redis.call('HDEL', run.job, 'defa')
    end
    local entry = announce(false, 'failed', run, 'failedReason', reason, 'prev', 'active')
    if made >= allowed then announce(false, 'retries-exhausted', run, 'attemptsMade', made) end
    if #reason > LARGE then count_large(keys.events, keys.meta, entry, #reason) end
    return 0
  end

  local function wait_until_due(run, delay)
    local due = to_delayed(keys, run.id, now, delay)
    redis.call('HSET', run.job, 'delay', delay)
    announce(true, 'delayed', run, 'delay', due)
    batch.any_delayed = true
  end

  local function priority_of(run)
    return tonumber(redis.call('HGET', run.job, 'priority')) or 0
  end

  local function announce_ready(run)
    announce(true, 'waiting', run, 'prev', 'active')
    batch.any_ready = true
  end

  -- What is due was there before a job that is tried again now: it goes first.
  local function promote_before()
    if batch.is_promoted then return end
    batch.is_promoted = true
    if promote_due(keys, base, now) then batch.any_ready = true end
  end

  function ways.retried(run, reason, stacktrace, delay, is_first)
    if not leave_active(run) then return WRONG_STATE end
    redis.call('HSET', run.job, 'failedReason', reason, 'stacktrace', stacktrace, 'atm', run.attempts + 1)
    if delay > 0 then
      wait_until_due(run, delay)
    else
      promote_before()
      to_ready(keys, run.id, priority_of(run), is_first)
      announce_ready(run)
    end
    return 0
  end

  function ways.delayed(run, delay)
    if not leave_active(run) then return WRONG_STATE end
    wait_until_due(run, delay)
    return 0
  end

  -- As if it had not been taken: next in line, no attempt used up.
  local function requeue(run, limit)
    if limit and limit > 0 then redis.call('SET', keys.limiter, '9007199254740991', 'PX', limit) end
    if not leave_active(run) then return WRONG_STATE end
    to_front(keys, run.id, priority_of(run))
    announce_ready(run)
    return 0
  end
  ways.requeued = requeue

  -- A child that ended in between has found no parent to release: the job goes on at once.
  ways['waiting children'] = function(run)
    if redis.call('EXISTS', run.job .. DEPENDENCIES) == 0 then return requeue(run) end
    if not leave_active(run) then return WRONG_STATE end
    to_parent(keys, run.id, moment)
    announce(false, 'waiting-children', run, 'prev', 'active')
    return 0
  end

  return ways
end

-- What stopped a run on its way out of active must not leave its job nowhere: it stays, under its lock, until it
-- counts as stalled.
local function stay_active(batch)
  if not batch.leaving then return end
  back_to_active(batch.keys, {batch.leaving})
  batch.locks[#batch.locks], batch.freed[#batch.freed], batch.leaving = nil, nil, nil
end
