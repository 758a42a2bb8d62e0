-- How many jobs ended in each minute, as every peer counts them.

-- The first of those that end in one call is the one that may begin a new minute.
local function count_ended(counts, number, minutes, now, moment)
  local before = redis.call('HINCRBY', counts, 'count', number) - number
  local since = redis.call('HGET', counts, 'prevTS')
  if not since then
    redis.call('HSET', counts, 'prevTS', moment, 'prevCount', 0)
    return
  end
  local passed = math.min(math.floor(now / 60000) - math.floor(since / 60000), minutes)
  if passed < 1 then return end
  local points = counts .. ':data'
  redis.call('LPUSH', points, before - (redis.call('HGET', counts, 'prevCount') or 0))
  for at = 2, passed, 5000 do
    local empty = {}
    for _ = at, math.min(at + 4999, passed) do empty[#empty + 1] = 0 end
    redis.call('LPUSH', points, unpack(empty))
  end
  redis.call('LTRIM', points, 0, minutes - 1)
  redis.call('HSET', counts, 'prevCount', before, 'prevTS', moment)
end
