-- Moves delayed jobs that are due to where they wait; at most 200 a call, the next call goes on.
-- needs: placing

local function promote_due(delayed, wait, prioritized, priority_counter, events, base, now)
  local due = redis.call('ZRANGEBYSCORE', delayed, 0, (now + 1) * 4096 - 1, 'LIMIT', 0, 200)
  if #due == 0 then return false end
  redis.call('ZREM', delayed, unpack(due))
  for _, id in ipairs(due) do
    local job = base .. id
    local priority = tonumber(redis.call('HGET', job, 'priority')) or 0
    make_ready(wait, prioritized, priority_counter, id, priority, false)
    redis.call('XADD', events, '*', 'event', 'waiting', 'jobId', id, 'prev', 'delayed')
    redis.call('HSET', job, 'delay', 0)
  end
  return true
end
