-- Which of the jobs that share a deduplication id is added.
-- needs: removing transitions parents

-- While the last one is kept, the id is taken until its owner ends.
local function claim(owner_key, id, ways)
  if ways.ttl and not ways.keep_last then
    redis.call('SET', owner_key, id, 'PX', ways.ttl)
  else
    redis.call('SET', owner_key, id)
  end
end

local function tell_deduplicated(keys, id, ways, gone)
  redis.call('XADD', keys.events, '*', 'event', 'deduplicated', 'jobId', id, 'deduplicationId', ways.id,
    'deduplicatedJobId', gone)
end

-- Returns whether the owner was still delayed, and is gone for the new job.
local function replaced(keys, owner_key, owner, id, ways)
  if not out_of_delayed(keys, owner) then return false end
  local job = keys.base .. owner
  -- A parent that counted on it must not wait for ever.
  forget_child(job, job)
  drop(keys.base, owner)
  redis.call('XADD', keys.events, '*', 'event', 'removed', 'jobId', owner, 'prev', 'delayed')
  tell_deduplicated(keys, id, ways, owner)
  if ways.ttl and not ways.extend and not ways.keep_last then
    redis.call('SET', owner_key, id, 'KEEPTTL')
  else
    claim(owner_key, id, ways)
  end
  return true
end

-- Returns whether the owner runs, so that the new job is kept to run after it.
local function kept_for_later(keys, owner_key, next_key, owner, id, given)
  if not redis.call('LPOS', keys.active, owner) then return false end
  redis.call('DEL', next_key)
  redis.call('HSET', next_key, 'name', given.name, 'data', given.data, 'opts', given.options, 'jid', id)
  -- A running time must not end before the owner does.
  redis.call('PERSIST', owner_key)
  return true
end

local function reschedule(keys, owner, given, woken)
  if not redis.call('ZSCORE', keys.delayed, owner) then return end
  redis.call('HSET', keys.base .. owner, 'delay', given.delay)
  local due = to_delayed(keys, owner, given.timestamp, given.delay)
  redis.call('XADD', keys.events, '*', 'event', 'delayed', 'jobId', owner, 'delay', due)
  woken.delayed = true
end

-- Returns the id of the job that stays in place of the given one, or nil when that is to be added. In `woken` it is
-- noted what workers are to be woken for.
local function deduplicated(keys, given, id, woken)
  local ways = given.deduplication
  local owner_key, next_key = keys.base .. OWNER .. ways.id, keys.base .. NEXT_OF .. ways.id
  local owner = redis.call('GET', owner_key)
  if not owner then
    claim(owner_key, id, ways)
    return nil
  end
  if ways.replace and replaced(keys, owner_key, owner, id, ways) then
    redis.call('DEL', next_key)
    return nil
  end
  if redis.call('PTTL', owner_key) == -1 and redis.call('EXISTS', keys.base .. owner) == 0 then
    -- Its owner is gone, and nothing else would free the id.
    redis.call('DEL', next_key)
    claim(owner_key, id, ways)
    return nil
  end
  local is_kept = ways.keep_last and kept_for_later(keys, owner_key, next_key, owner, id, given)
  -- Peers do not tell of a job that came too late to replace the owner.
  if is_kept or not ways.replace then
    if ways.extend and not is_kept then claim(owner_key, owner, ways) end
    tell_deduplicated(keys, owner, ways, id)
    if ways.reschedule then reschedule(keys, owner, given, woken) end
  end
  return owner
end
