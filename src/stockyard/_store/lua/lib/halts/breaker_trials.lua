-- When a job of a queue whose circuit breaker is open may be tried.

-- Milliseconds between two looks where nothing says when it is time.
local NEXT_LOOK = 1000

-- Returns ms until then, 0 for now, or BREAKER_CLOSED.
local function wait_for_trial(keys, base, now)
  local open, due, trial = unpack(redis.call('HMGET', keys.breaker, 'open', 'until', 'trial'))
  if not open then return BREAKER_CLOSED end
  -- What else halts or pauses the queue holds its trials, too.
  if redis.call('HEXISTS', keys.halts, 'all') == 1 then return NEXT_LOOK end
  if redis.call('HGET', keys.meta, 'stockyard.halted') == 'paused' then return NEXT_LOOK end
  if now < tonumber(due) then return tonumber(due) - now end
  -- The trial of a worker that died is over when its lease is.
  if trial and redis.call('EXISTS', base .. trial .. LOCK) == 1 then return NEXT_LOOK end
  return 0
end
