-- Which schedules have come to their end.
-- needs: decoding

-- The last run of such a one leaves no next one.
local function is_over(record, job, now)
  local limit, end_date, made = unpack(redis.call('HMGET', record, 'limit', 'endDate', 'ic'))
  if end_date and tonumber(now) > (tonumber(end_date) or 0) then return true end
  if not limit then return false end
  local run = decode_object(redis.call('HGET', job, 'opts'))['repeat']
  local count = type(run) == 'table' and tonumber(run.count) or tonumber(made) or 0
  return count >= (tonumber(limit) or 0)
end
