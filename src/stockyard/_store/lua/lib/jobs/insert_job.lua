-- Puts one new job with all its ties into its queue.
-- needs: transitions parents enqueue deduplicate found

-- Whether a job that exists has another parent; a parent that is gone leaves it free.
local function belongs_elsewhere(job, parent)
  local old = redis.call('HGET', job, 'parentKey')
  return old and old ~= parent and redis.call('EXISTS', old) == 1
end

-- A job that exists counts for the parent as it is: one that has ended counts as ended.
local function adopt(keys, id, job, parent, now, early)
  redis.call('HSET', job, 'parentKey', parent.key, 'parent', parent.link)
  local dependencies = parent.key .. DEPENDENCIES
  if redis.call('ZSCORE', keys.completed, id) then
    redis.call('HSET', parent.key .. PROCESSED, job, redis.call('HGET', job, 'returnvalue') or 'null')
    redis.call('SREM', dependencies, job)
    return
  end
  redis.call('SADD', dependencies, job)
  if redis.call('ZSCORE', keys.failed, id) then
    count_failed_child(parent.key, parent.link, job, redis.call('HGET', job, 'failedReason') or '', now, early)
  end
end

local function release_parent_if_free(parent, now)
  local of = parent_of(parent.key, parent.link)
  release_if_none_pending(parent.key, of.queueKey .. ':', of.id, now)
end

-- Whether the parent is to wait for this child. In a flow it was lined up before; otherwise what the parent
-- recorded has ended, although the child's own record may be gone.
local function is_wanted(given, job)
  local parent = given.parent
  if parent.is_new then return redis.call('SISMEMBER', parent.key .. DEPENDENCIES, job) == 1 end
  return given.id == '' or not is_recorded(parent.key, job)
end

-- Returns the id of the new job; or the one that is there instead, see `found`; or OTHER_PARENT when that
-- has another. `woken` notes what workers are to be woken for, `early` gathers the parents that a failed child frees
-- before the others have ended.
local function insert(keys, given, woken, early)
  local counted = redis.call('INCR', keys.counter)
  local id, parent = given.id, given.parent
  -- In a shard, what follows the number stands behind a colon, which no id of a producer begins with.
  local is_own = id ~= '' and string.byte(id) ~= 58
  if not is_own then id = string.format('%.0f', counted) .. string.sub(id, 2) end
  local job = keys.base .. id
  local exists = is_own and redis.call('EXISTS', job) == 1
  if exists and parent and belongs_elsewhere(job, parent.key) then
    if parent.is_new then redis.call('SREM', parent.key .. DEPENDENCIES, job) end
    return OTHER_PARENT
  end
  local wanted = not parent or is_wanted(given, job)
  if exists and parent and wanted then adopt(keys, id, job, parent, given.timestamp, early) end
  if exists or not wanted then
    redis.call('XADD', keys.events, '*', 'event', 'duplicated', 'jobId', id)
    return found(keys.base, id)
  end
  local fields = {}
  if given.deduplication then
    local owner = deduplicated(keys, given, id, woken)
    if owner then return found(keys.base, owner) end
    fields = {'deid', given.deduplication.id}
  end
  redis.call('HSET', job, 'name', given.name, 'data', given.data, 'opts', given.options, 'timestamp',
    given.timestamp, 'delay', given.delay, 'priority', given.priority, unpack(fields))
  redis.call('XADD', keys.events, '*', 'event', 'added', 'jobId', id, 'name', given.name)
  if given.is_parent then
    to_parent(keys, id, given.timestamp)
    redis.call('XADD', keys.events, '*', 'event', 'waiting-children', 'jobId', id)
  elseif enqueue(keys, id, given.timestamp, given.delay, given.priority, given.lifo) then
    woken.delayed = true
  else
    woken.ready = true
  end
  if parent then
    redis.call('HSET', job, 'parentKey', parent.key, 'parent', parent.link)
    redis.call('SADD', parent.key .. DEPENDENCIES, job)
  end
  return id
end
