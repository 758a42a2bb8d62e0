-- Moves delayed jobs that are due to where they wait; at most 200 a call, the next call goes on.
-- needs: transitions

local function promote_due(keys, base, now)
  local due = redis.call('ZRANGEBYSCORE', keys.delayed, 0, (now + 1) * 4096 - 1, 'LIMIT', 0, 200)
  if #due == 0 then return false end
  out_of(keys.delayed, unpack(due))
  for _, id in ipairs(due) do
    local job = base .. id
    to_ready(keys, id, tonumber(redis.call('HGET', job, 'priority')) or 0, false)
    redis.call('XADD', keys.events, '*', 'event', 'waiting', 'jobId', id, 'prev', 'delayed')
    redis.call('HSET', job, 'delay', 0)
  end
  return true
end
