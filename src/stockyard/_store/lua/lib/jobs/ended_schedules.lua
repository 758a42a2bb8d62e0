-- Which schedules have come to their end.
-- needs: decoding

-- The last run of such a one leaves no next one.
local function is_over(record, job, now)
  local of = redis.call('HMGET', record, 'limit', 'endDate', 'ic')
  if of[2] and tonumber(now) > (tonumber(of[2]) or 0) then return true end
  if not of[1] then return false end
  local run = decode_object(redis.call('HGET', job, 'opts'))['repeat']
  local count = type(run) == 'table' and tonumber(run.count) or tonumber(of[3]) or 0
  return count >= (tonumber(of[1]) or 0)
end
