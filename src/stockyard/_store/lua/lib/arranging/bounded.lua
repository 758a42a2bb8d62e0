-- How many jobs may wait in a queue: ready, prioritized, delayed, and those that a BullMQ 5 set aside.
-- needs: counts queue_keys scores transitions parents families

-- Drops the job that waits longest of those that are the least urgent; what is delayed waits for its time and stays.
-- Returns whether there was one.
local function drop_oldest(batch)
  local keys = batch.keys
  local last = redis.call('ZREVRANGE', keys.prioritized, 0, 0, 'WITHSCORES')
  local id
  if last[2] then
    local class = math.floor(last[2] / PRIORITY_STEP) * PRIORITY_STEP
    id = redis.call('ZRANGEBYSCORE', keys.prioritized, string.format('%.0f', class), '+inf', 'LIMIT', 0, 1)[1]
    out_of(keys.prioritized, id)
  else
    -- What a BullMQ 5 set aside is older than what waits.
    local aside = queue_keys(batch.base).paused
    local list = redis.call('LLEN', aside) > 0 and aside or keys.wait
    id = redis.call('LINDEX', list, -1)
    if not id then return false end
    oldest_out_of(list, 1)
  end
  forget_child(batch.base .. id, batch.base .. id)
  remove_record(batch.base, id, 'waiting')
  redis.call('XADD', keys.events, '*', 'event', 'dropped', 'jobId', id)
  count(batch.counted, 'dropped')
  return true
end

local function length_of(batch)
  local keys = batch.keys
  return redis.call('LLEN', keys.wait) + redis.call('LLEN', queue_keys(batch.base).paused)
    + redis.call('ZCARD', keys.prioritized) + redis.call('ZCARD', keys.delayed)
end

-- Makes room for one more job; returns whether there is some.
local function bound(batch)
  batch.length = batch.length or length_of(batch)
  if batch.length >= batch.wanted.max_length then
    if batch.wanted.on_full ~= 'drop_oldest' or not drop_oldest(batch) then
      -- One that blocks asks again.
      if batch.wanted.on_full ~= 'block' then count(batch.counted, 'refused') end
      return false
    end
    batch.length = batch.length - 1
  end
  batch.length = batch.length + 1
  return true
end
