-- Scores of the delayed and the prioritized set.

-- Jobs of one priority are this far from those of the next.
local PRIORITY_STEP = 4294967296

local function delay_score(delayed, from, delay)
  local due = delay > 0 and from + delay or from
  local low, high = due * 4096, (due + 1) * 4096 - 1
  local last = redis.call('ZREVRANGEBYSCORE', delayed, high, low, 'WITHSCORES', 'LIMIT', 0, 1)
  if last[2] then
    return math.min(tonumber(last[2]) + 1, high), due
  end
  return low, due
end

local function priority_score(priority_counter, priority)
  return priority * PRIORITY_STEP + redis.call('INCR', priority_counter) % PRIORITY_STEP
end
