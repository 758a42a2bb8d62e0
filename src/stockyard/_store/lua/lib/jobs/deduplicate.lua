-- Which of the jobs that share a deduplication id is added.
-- needs: removing transitions parents

-- While the last one is kept, the id is taken until its owner ends.
local function claim(owner_key, id, dedup)
  if dedup.ttl and not dedup.keep_last then
    redis.call('SET', owner_key, id, 'PX', dedup.ttl)
  else
    redis.call('SET', owner_key, id)
  end
end

local function emit_deduplicated(keys, id, dedup, gone)
  redis.call('XADD', keys.events, '*', 'event', 'deduplicated', 'jobId', id, 'deduplicationId', dedup.id,
    'deduplicatedJobId', gone)
end

-- Returns whether the owner was still delayed, and is gone for the new job.
local function replaced(keys, owner_key, owner, id, dedup)
  if not out_of_delayed(keys, owner) then return false end
  local job = keys.base .. owner
  -- A parent that counted on it must not wait for ever.
  forget_child(job, job)
  drop(keys.base, owner)
  redis.call('XADD', keys.events, '*', 'event', 'removed', 'jobId', owner, 'prev', 'delayed')
  emit_deduplicated(keys, id, dedup, owner)
  if dedup.ttl and not dedup.extend and not dedup.keep_last then
    redis.call('SET', owner_key, id, 'KEEPTTL')
  else
    claim(owner_key, id, dedup)
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
  local dedup = given.deduplication
  local owner_key, next_key = keys.base .. OWNER .. dedup.id, keys.base .. NEXT_OF .. dedup.id
  local owner = redis.call('GET', owner_key)
  if not owner then
    claim(owner_key, id, dedup)
    return nil
  end
  if dedup.replace and replaced(keys, owner_key, owner, id, dedup) then
    redis.call('DEL', next_key)
    return nil
  end
  if redis.call('PTTL', owner_key) == -1 and redis.call('EXISTS', keys.base .. owner) == 0 then
    -- Its owner is gone, and nothing else would free the id.
    redis.call('DEL', next_key)
    claim(owner_key, id, dedup)
    return nil
  end
  local is_kept = dedup.keep_last and kept_for_later(keys, owner_key, next_key, owner, id, given)
  -- Peers do not announce a job that came too late to replace the owner.
  if is_kept or not dedup.replace then
    if dedup.extend and not is_kept then claim(owner_key, owner, dedup) end
    emit_deduplicated(keys, owner, dedup, id)
    if dedup.reschedule then reschedule(keys, owner, given, woken) end
  end
  return owner
end
