-- How many jobs start within a window of time: by the queue's own limit, by one set by hand, and by `rate`.

-- What a manual limit leaves as the number of started jobs.
local BY_HAND = 9007199254740991

local function window_gate(keys, taking, max, duration)
  taking.max, taking.window = tonumber(max) or taking.max, taking.window or tonumber(duration)
  local started = tonumber(redis.call('GET', keys.limiter) or 0)
  local room = taking.max and taking.max - started
  if started >= (taking.max or BY_HAND) then
    local left = redis.call('PTTL', keys.limiter)
    taking.limited = math.max(left, 0)
    if left > 0 then return true end
    if left == 0 then redis.call('DEL', keys.limiter) end
    room = left == 0 and taking.max
  end
  taking.room = math.min(taking.room, room or taking.room)
end

local function window_started(keys, taking, number)
  if taking.max and number > 0 and redis.call('INCRBY', keys.limiter, number) == number and taking.window then
    redis.call('PEXPIRE', keys.limiter, math.floor(taking.window))
  end
end
