-- What a child's end means to its parent, on the parent's own queue.
-- needs: decoding queue_keys transitions markers

local function leave_waiting_children(keys, id)
  return redis.call('EXISTS', keys.base .. id) == 1 and out_of_parents(keys, id)
end

local function parent_waits(keys, id, priority)
  to_ready(keys, id, priority, true)
  wake(keys)
  redis.call('XADD', keys.events, '*', 'event', 'waiting', 'jobId', id, 'prev', 'waiting-children')
end

-- The parent leaves waiting-children and goes where its own delay and priority say.
local function release_parent(keys, id, now)
  if not leave_waiting_children(keys, id) then return end
  local delay, priority = unpack(redis.call('HMGET', keys.base .. id, 'delay', 'priority'))
  delay, priority = tonumber(delay) or 0, tonumber(priority) or 0
  if delay == 0 then return parent_waits(keys, id, priority) end
  local due = to_delayed(keys, id, now, delay)
  redis.call('XADD', keys.events, '*', 'event', 'delayed', 'jobId', id, 'delay', due)
  add_delay_marker(keys)
end

local function release_if_none_pending(parent, base, id, now)
  if redis.call('SCARD', parent .. DEPENDENCIES) == 0 then release_parent(queue_keys(base), id, now) end
end

-- A child that failed with fail-parent: the parent is to fail at its next start, wherever it waits.
local function fail_parent(parent, keys, id, child, now)
  redis.call('ZADD', parent .. UNSUCCESSFUL, now, child)
  if redis.call('EXISTS', parent) == 0 or redis.call('ZSCORE', keys.failed, id) then return end
  redis.call('HSET', parent, 'defa', 'child ' .. child .. ' failed')
  if out_of_delayed(keys, id) then
    redis.call('HSET', parent, 'delay', 0)
    to_parent(keys, id, now)
  end
  release_parent(keys, id, now)
end

-- The parent's id, its queue and what was asked for it; its key says the first two if the text is broken.
local function parent_of(parent, link)
  local of = decode_object(link)
  if not of.queueKey or not of.id then
    of.queueKey, of.id = parent:match('^(.*):(.*)$')
  end
  return of
end

local function complete_child(parent, link, child, value, now)
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
  local base = of.queueKey .. ':'
  if of.fpof then
    fail_parent(parent, queue_keys(base), of.id, child, now)
  elseif of.cpof then
    redis.call('HSET', parent .. IGNORED, child, reason)
    if early then early[parent] = true else release_parent(queue_keys(base), of.id, now) end
  else
    if of.idof then redis.call('HSET', parent .. IGNORED, child, reason) end
    release_if_none_pending(parent, base, of.id, now)
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
  local keys = queue_keys(base)
  if redis.call('ZSCORE', keys.waiting_children, id) then return true end
  if redis.call('EXISTS', base .. id .. LOCK) == 1 or redis.call('HEXISTS', base .. id, 'defa') == 1
    or redis.call('ZSCORE', keys.completed, id) or redis.call('ZSCORE', keys.failed, id) then
    return false
  end
  if not out_of_waiting(keys, id) then return false end
  to_parent(keys, id, now)
  redis.call('XADD', keys.events, '*', 'event', 'waiting-children', 'jobId', id)
  return true
end

-- The parent does not count on the child any more; as on Node, one that waits for no other runs next, whatever
-- its own delay and priority say.
local function give_up_child(parent, link, child)
  if redis.call('SREM', parent .. DEPENDENCIES, child) == 0 then return false end
  if redis.call('SCARD', parent .. DEPENDENCIES) == 0 then
    local of = parent_of(parent, link)
    local keys = queue_keys(of.queueKey .. ':')
    if leave_waiting_children(keys, of.id) then parent_waits(keys, of.id, 0) end
  end
  return true
end

-- A record goes although its parent still counts on it: the parent must not wait for ever.
local function forget_child(job, child)
  local parent, link = unpack(redis.call('HMGET', job, 'parentKey', 'parent'))
  if parent then give_up_child(parent, link, child) end
end
