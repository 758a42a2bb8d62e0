-- Puts one new job with all its ties into its queue.

-- Whether a job that exists has another parent; a parent that is gone leaves it free.
local function belongs_elsewhere(job, parent)
  local old = redis.call('HGET', job, 'parentKey')
  return old and old ~= parent and redis.call('EXISTS', old) == 1
end

-- The job counts for the parent as it is; one that has completed counts as such.
local function adopt(keys, id, job, parent)
  if redis.call('ZSCORE', keys.completed, id) then
    redis.call('HSET', parent.key .. ':processed', job, redis.call('HGET', job, 'returnvalue') or 'null')
  else
    redis.call('SADD', parent.key .. ':dependencies', job)
  end
  redis.call('HSET', job, 'parentKey', parent.key, 'parent', parent.tie)
end

local function let_parent_go(parent, now)
  local of = parent_of(parent.key, parent.tie)
  release_if_none_pending(parent.key, of.queueKey .. ':', of.id, now)
end

-- Returns the id of the job that is there afterwards, or -7 when that has another parent.
local function insert(keys, given)
  local counted = redis.call('INCR', keys.counter)
  local id, parent = given.id, given.parent
  if id == '' then id = string.format('%.0f', counted) end
  local job = keys.base .. id
  if given.id ~= '' and redis.call('EXISTS', job) == 1 then
    if parent then
      if belongs_elsewhere(job, parent.key) then return -7 end
      adopt(keys, id, job, parent)
    end
    redis.call('XADD', keys.events, '*', 'event', 'duplicated', 'jobId', id)
    return id
  end
  local fields = {}
  if given.deduplication then
    local owner = deduplicated(keys, given, id)
    if owner then return owner end
    fields = {'deid', given.deduplication.id}
  end
  redis.call('HSET', job, 'name', given.name, 'data', given.data, 'opts', given.options, 'timestamp',
    given.timestamp, 'delay', given.delay, 'priority', given.priority, unpack(fields))
  redis.call('XADD', keys.events, '*', 'event', 'added', 'jobId', id, 'name', given.name)
  if given.is_parent then
    redis.call('ZADD', keys.waiting_children, given.timestamp, id)
    redis.call('XADD', keys.events, '*', 'event', 'waiting-children', 'jobId', id)
  elseif enter(keys, id, given.timestamp, given.delay, given.priority, given.lifo) then
    keys.any_delayed = true
  else
    keys.any_ready = true
  end
  if parent then
    redis.call('HSET', job, 'parentKey', parent.key, 'parent', parent.tie)
    redis.call('SADD', parent.key .. ':dependencies', job)
  end
  return id
end
