-- Where a job waits: scores of the delayed and the prioritized set.

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
  return priority * 4294967296 + redis.call('INCR', priority_counter) % 4294967296
end

-- Ready to run: behind what waits, or at the front of it, or by its priority.
local function make_ready(wait, prioritized, priority_counter, id, priority, to_front)
  if priority > 0 then
    redis.call('ZADD', prioritized, priority_score(priority_counter, priority), id)
  else
    redis.call(to_front and 'RPUSH' or 'LPUSH', wait, id)
  end
end
