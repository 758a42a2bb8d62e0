-- The queue's own concurrency, which holds for all its workers together.

local function concurrency_gate(keys, taking, concurrency)
  if concurrency then
    taking.room = math.min(taking.room, math.max(0, tonumber(concurrency) - redis.call('LLEN', keys.active)))
  end
end
