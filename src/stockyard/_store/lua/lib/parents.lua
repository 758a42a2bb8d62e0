-- What a child's end means to its parent, on the parent's own queue.
-- needs: decoding markers placing

local function leave_waiting_children(parent_base, parent_id)
  return redis.call('EXISTS', parent_base .. parent_id) == 1
    and redis.call('ZREM', parent_base .. 'waiting-children', parent_id) == 1
end

local function parent_waits(parent_base, parent_id, priority)
  make_ready(parent_base .. 'wait', parent_base .. 'prioritized', parent_base .. 'pc', parent_id, priority, true)
  if not is_blocked(parent_base .. 'meta', parent_base .. 'active') then ring(parent_base .. 'marker') end
  redis.call('XADD', parent_base .. 'events', '*', 'event', 'waiting', 'jobId', parent_id,
    'prev', 'waiting-children')
end

-- The parent leaves waiting-children and goes where its own delay and priority say.
local function release_parent(parent_base, parent_id, now)
  if not leave_waiting_children(parent_base, parent_id) then return end
  local fields = redis.call('HMGET', parent_base .. parent_id, 'delay', 'priority')
  local delay, priority = tonumber(fields[1]) or 0, tonumber(fields[2]) or 0
  if delay == 0 then return parent_waits(parent_base, parent_id, priority) end
  local delayed = parent_base .. 'delayed'
  local score, due = delay_score(delayed, now, delay)
  redis.call('ZADD', delayed, score, parent_id)
  redis.call('XADD', parent_base .. 'events', '*', 'event', 'delayed', 'jobId', parent_id, 'delay', due)
  ring_when_due(parent_base .. 'marker', delayed)
end

local function release_if_none_pending(parent, parent_base, parent_id, now)
  if redis.call('SCARD', parent .. DEPENDENCIES) == 0 then
    release_parent(parent_base, parent_id, now)
  end
end

-- A child that failed with fail-parent: the parent is to fail at its next start, wherever it waits.
local function fail_parent(parent, parent_base, parent_id, child, now)
  redis.call('ZADD', parent .. UNSUCCESSFUL, now, child)
  if redis.call('EXISTS', parent) == 0 or redis.call('ZSCORE', parent_base .. 'failed', parent_id) then return end
  redis.call('HSET', parent, 'defa', 'child ' .. child .. ' failed')
  local delayed = parent_base .. 'delayed'
  if redis.call('ZREM', delayed, parent_id) == 1 then
    redis.call('HSET', parent, 'delay', 0)
    redis.call('ZADD', parent_base .. 'waiting-children', now, parent_id)
  end
  release_parent(parent_base, parent_id, now)
end

-- The parent's id, its queue and what was asked for it; its key says the first two if the text is broken.
local function parent_of(parent, link)
  local of = decode_object(link)
  if not of.queueKey or not of.id then
    of.queueKey, of.id = parent:match('^(.*):(.*)$')
  end
  return of
end

local function tell_parent_completed(parent, link, child, value, now)
  if redis.call('SREM', parent .. DEPENDENCIES, child) == 0 then return end
  redis.call('HSET', parent .. PROCESSED, child, value)
  local of = parent_of(parent, link)
  release_if_none_pending(parent, of.queueKey .. ':', of.id, now)
end

-- What a child's failure means to its parent, by the child's policy. With `early`, a parent that need not wait for
-- its other children is put there, for the caller to release it.
local function count_failed_child(parent, link, child, reason, now, early)
  local of = parent_of(parent, link)
  if not (of.fpof or of.cpof or of.idof or of.rdof) then return end
  if redis.call('SREM', parent .. DEPENDENCIES, child) == 0 then return end
  local parent_base = of.queueKey .. ':'
  if of.fpof then
    fail_parent(parent, parent_base, of.id, child, now)
  elseif of.cpof then
    redis.call('HSET', parent .. IGNORED, child, reason)
    if early then early[parent] = true else release_parent(parent_base, of.id, now) end
  else
    if of.idof then redis.call('HSET', parent .. IGNORED, child, reason) end
    release_if_none_pending(parent, parent_base, of.id, now)
  end
end

-- Whether the parent knows how the child ended.
local function is_recorded(parent, child)
  return redis.call('HEXISTS', parent .. PROCESSED, child) == 1
    or redis.call('HEXISTS', parent .. IGNORED, child) == 1
    or redis.call('ZSCORE', parent .. UNSUCCESSFUL, child) ~= false
end

-- A job that waits to run waits for its children instead, now that there are some. Returns whether it does, or did
-- before; one that runs, is to fail or has ended does not.
local function hold_back(base, id, now)
  if redis.call('ZSCORE', base .. 'waiting-children', id) then return true end
  if redis.call('EXISTS', base .. id .. LOCK) == 1 or redis.call('HEXISTS', base .. id, 'defa') == 1
    or redis.call('ZSCORE', base .. 'completed', id) or redis.call('ZSCORE', base .. 'failed', id) then
    return false
  end
  if redis.call('ZREM', base .. 'delayed', id) + redis.call('ZREM', base .. 'prioritized', id) == 0
    and redis.call('LREM', base .. 'wait', -1, id) == 0 and redis.call('LREM', base .. 'paused', -1, id) == 0 then
    return false
  end
  redis.call('ZADD', base .. 'waiting-children', now, id)
  redis.call('XADD', base .. 'events', '*', 'event', 'waiting-children', 'jobId', id)
  return true
end

-- The parent does not count on the child any more; as on Node, one that waits for no other runs next, whatever
-- its own delay and priority say.
local function give_up_child(parent, link, child)
  if redis.call('SREM', parent .. DEPENDENCIES, child) == 0 then return false end
  if redis.call('SCARD', parent .. DEPENDENCIES) == 0 then
    local of = parent_of(parent, link)
    local parent_base = of.queueKey .. ':'
    if leave_waiting_children(parent_base, of.id) then parent_waits(parent_base, of.id, 0) end
  end
  return true
end

-- A record goes although its parent still counts on it: the parent must not wait for ever.
local function forget_child(job, child)
  local fields = redis.call('HMGET', job, 'parentKey', 'parent')
  if fields[1] then give_up_child(fields[1], fields[2], child) end
end
