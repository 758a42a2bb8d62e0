--- Says how many jobs start before one that waits, and how many jobs ended of late.
-- needs: states
-- keys: wait prioritized delayed active completed failed paused waiting_children meta metrics_completed metrics_failed
-- args: base id most minutes
-- returns: the job's state; how many waiting jobs start before it, and whether that is exact; when a delayed one is
--   due (ms), else 0; whether the queue is paused; of completed and of failed jobs each: how many were counted, when
--   the running minute began to be counted (ms) and how many had been counted by then, and those of the last minutes
local function ended(counts)
  local of = redis.call('HMGET', counts, 'count', 'prevTS', 'prevCount')
  local points = redis.call('LRANGE', counts .. ':data', 0, minutes - 1)
  return {tonumber(of[1]) or 0, tonumber(of[2]) or 0, tonumber(of[3]) or 0, points}
end

-- The tail of a list starts first. Both of its ends are looked through, so that a middle may stay unknown.
local function before_in(list)
  local length = redis.call('LLEN', list)
  local at = redis.call('LPOS', list, id, 'RANK', -1, 'MAXLEN', most)
  if not at and length > tonumber(most) then at = redis.call('LPOS', list, id, 'MAXLEN', most) end
  if at then return length - 1 - at, 1 end
  if length > 2 * most then return tonumber(most), 0 end
end

-- Unlike a look for the state alone, this passes through no long list.
local function place()
  local score = redis.call('ZSCORE', delayed, id)
  if score then return 'delayed', 0, 1, math.floor(score / 4096) end
  local rank = redis.call('ZRANK', prioritized, id)
  if rank then return 'prioritized', redis.call('LLEN', wait) + rank, 1, 0 end
  for _, key in ipairs({'completed', 'failed', 'waiting_children'}) do
    if redis.call('ZSCORE', keys[key], id) then return state_of(keys, id), 0, 1, 0 end
  end
  if redis.call('LPOS', active, id) then return 'active', 0, 1, 0 end
  for _, list in ipairs({wait, paused}) do
    local before, is_exact = before_in(list)
    if before then return 'waiting', before, is_exact, 0 end
  end
  local key = redis.call('HGET', base .. id, 'stockyard.key')
  local before_it = key and redis.call('ZRANK', base .. KEY_LINE .. key, id)
  -- Those before it in the line of its key start first, and what stands for the key; others may start in between.
  if before_it then return 'waiting', before_it + 1, 0, 0 end
  return 'unknown', 0, 1, 0
end

local state, before, is_exact, due = place()
return {
  state, before, is_exact, due, redis.call('HEXISTS', meta, 'paused'), ended(metrics_completed), ended(metrics_failed),
}
