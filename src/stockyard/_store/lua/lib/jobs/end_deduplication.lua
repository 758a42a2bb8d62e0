-- What a finished job leaves of its deduplication: the id freed, and the newest kept payload queued.
-- needs: decoding markers enqueue

-- Frees the id when this job owns it for as long as it runs; a running time window stays.
local function end_deduplication(keys, base, name, id, now)
  local owner = base .. OWNER .. name
  if redis.call('GET', owner) == id and redis.call('PTTL', owner) == -1 then redis.call('DEL', owner) end
  local kept = base .. NEXT_OF .. name
  local pairs_of = redis.call('HGETALL', kept)
  if #pairs_of == 0 then return end
  local next_job = {}
  for i = 1, #pairs_of, 2 do next_job[pairs_of[i]] = pairs_of[i + 1] end
  local counted = redis.call('INCR', keys.counter)
  local next_id = next_job.jid or string.format('%.0f', counted)
  local options = decode_object(next_job.opts)
  local delay, priority = tonumber(options.delay) or 0, tonumber(options.priority) or 0
  redis.call('SET', owner, next_id)
  local job = base .. next_id
  redis.call('HSET', job, 'name', next_job.name, 'data', next_job.data, 'opts', next_job.opts, 'timestamp', now,
    'delay', delay, 'priority', priority, 'deid', name)
  if next_job.pk then redis.call('HSET', job, 'parentKey', next_job.pk, 'parent', next_job.pd) end
  if next_job.rjk then redis.call('HSET', job, 'rjk', next_job.rjk) end
  redis.call('XADD', keys.events, '*', 'event', 'added', 'jobId', next_id, 'name', next_job.name)
  local is_delayed = enqueue(keys, next_id, now, delay, priority, options.lifo)
  if is_delayed then add_delay_marker(keys) else wake(keys) end
  if next_job.pdk then redis.call('SADD', next_job.pdk, job) end
  redis.call('DEL', kept)
end
