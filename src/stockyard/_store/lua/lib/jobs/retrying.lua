-- Puts a finished job back to where it waits: for its turn, or first for its children.
-- needs: decoding queue_keys transitions parents

-- Children that one call looks at.
local SETTLED_AT_ONCE = 100

-- Whether a child is none to wait for: it is gone, belongs to another, or has ended in a way that lets its parent go on.
local function has_settled(job, child)
  local ties = redis.pcall('HMGET', child, 'parentKey', 'parent', 'returnvalue', 'failedReason')
  if ties.err then return true end
  local parent, link, result, reason = unpack(ties)
  if parent ~= job then return true end
  local base, id = child:match('^(.*:)(.*)$')
  local keys = queue_keys(base)
  if redis.call('ZSCORE', keys.completed, id) then
    redis.call('HSET', job .. PROCESSED, child, result or 'null')
    return true
  end
  if not redis.call('ZSCORE', keys.failed, id) then return false end
  local of = decode_object(link)
  if of.cpof or of.idof then redis.call('HSET', job .. IGNORED, child, reason or '') end
  return of.cpof or of.idof or of.rdof
end

-- A finished job's children that it counts as pending or as its failure: what is to be waited for when it is retried
-- stays pending. Returns the cursor to go on with, '0' at the end.
local function settle_children(job, cursor)
  local failed = redis.call('ZRANGE', job .. UNSUCCESSFUL, 0, SETTLED_AT_ONCE - 1)
  if #failed > 0 then
    redis.call('ZREM', job .. UNSUCCESSFUL, unpack(failed))
    redis.call('SADD', job .. DEPENDENCIES, unpack(failed))
    return cursor == '0' and '' or cursor
  end
  -- A full server refuses nothing more to a script that has written.
  redis.call('SREM', job .. DEPENDENCIES, '')
  local reply = redis.call('SSCAN', job .. DEPENDENCIES, cursor == '' and '0' or cursor, 'COUNT', SETTLED_AT_ONCE)
  for _, child in ipairs(reply[2]) do
    if has_settled(job, child) then redis.call('SREM', job .. DEPENDENCIES, child) end
  end
  return reply[1]
end

local function number_to_settle(job)
  return redis.call('SCARD', job .. DEPENDENCIES) + redis.call('ZCARD', job .. UNSUCCESSFUL)
end

-- Its parent counts on it again, if it still knows it, and waits for it if it has not begun.
local function give_back(parent, link, job, state, now)
  local known
  if state == 'failed' then
    known = redis.call('ZREM', parent .. UNSUCCESSFUL, job) + redis.call('HDEL', parent .. IGNORED, job)
  else
    known = redis.call('HDEL', parent .. PROCESSED, job)
  end
  if known == 0 then return end
  redis.call('SADD', parent .. DEPENDENCIES, job)
  local of = parent_of(parent, link)
  hold_back(of.queueKey .. ':', of.id, now)
end

-- The caller has taken it out of the set of that state, and rings the marker.
local function wait_again(keys, job, id, state, cap, now)
  local priority, options, parent, link =
    unpack(redis.call('HMGET', job, 'priority', 'opts', 'parentKey', 'parent'))
  redis.call('HDEL', job, 'finishedOn', 'processedOn', 'defa', state == 'failed' and 'failedReason' or 'returnvalue')
  if redis.call('SCARD', job .. DEPENDENCIES) > 0 then
    to_parent(keys, id, now)
    redis.call('XADD', keys.events, 'MAXLEN', '~', cap, '*', 'event', 'waiting-children', 'jobId', id, 'prev', state)
  else
    to_ready(keys, id, tonumber(priority) or 0, decode_object(options).lifo)
    redis.call('XADD', keys.events, 'MAXLEN', '~', cap, '*', 'event', 'waiting', 'jobId', id, 'prev', state)
  end
  if parent and redis.call('EXISTS', parent) == 1 then give_back(parent, link, job, state, now) end
end

-- Removes fields that count attempts. The starts of a job that has begun an effect stay counted: its worker asks for
-- the effect of one that has started before, also when it has expired.
local function reset_counts(job, names)
  local has_begun = redis.call('HEXISTS', job, BEGUN_EFFECT) == 1
  for field in string.gmatch(names, '%S+') do
    if field ~= 'ats' or not has_begun then redis.call('HDEL', job, field) end
  end
end
