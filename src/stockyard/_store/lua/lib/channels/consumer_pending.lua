-- Finds what one consumer holds, and hands it back.
-- needs: consumers

-- How often a message was delivered to this consumer or before, or nil when it is not the consumer's any more.
local function deliveries_of(base, group, consumer, id)
  local held = redis.call('XPENDING', base .. 'messages', group, id, id, 1, consumer)[1]
  return held and held[4]
end

-- Lets any consumer of the group have a message as soon as it has been idle for so long.
local function return_to_group(base, group, id, deliveries, idle)
  if not is_kept(base, id) then return count_missed(base, group, id) end
  redis.call(
    'XCLAIM', base .. 'messages', group, '-', 0, id, 'IDLE', idle, 'RETRYCOUNT', deliveries, 'JUSTID'
  )
end
