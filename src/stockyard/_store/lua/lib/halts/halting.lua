-- What halts a whole queue: BullMQ's own pause carries it to every worker, also those of Node.
-- needs: markers transitions

-- A queue that was paused before, or is paused meanwhile, stays paused when nothing halts it any more. Returns how many
-- jobs are still set aside by a BullMQ 5: until there are none, the queue stays paused.
local function follow_halts(keys, room)
  local paused, halted = unpack(redis.call('HMGET', keys.meta, 'paused', 'stockyard.halted'))
  if redis.call('HEXISTS', keys.halts, 'all') == 1 or redis.call('HEXISTS', keys.breaker, 'open') == 1 then
    if not halted then redis.call('HSET', keys.meta, 'stockyard.halted', paused and 'paused' or 'running') end
    if not paused then
      redis.call('DEL', keys.marker)
      redis.call('HSET', keys.meta, 'paused', 1)
      redis.call('XADD', keys.events, '*', 'event', 'paused')
    end
    return 0
  end
  if not halted then return 0 end
  if paused and halted ~= 'paused' then
    local left = part_of_aside_to_ready(keys, room)
    if left > 0 then return left end
    redis.call('HDEL', keys.meta, 'paused')
    if redis.call('EXISTS', keys.wait, keys.prioritized) > 0 then add_marker(keys) end
    add_delay_marker(keys)
    redis.call('XADD', keys.events, '*', 'event', 'resumed')
  end
  redis.call('HDEL', keys.meta, 'stockyard.halted')
  return 0
end
