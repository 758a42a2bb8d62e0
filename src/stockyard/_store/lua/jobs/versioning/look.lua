--- Counts the jobs that wait aside by their payload version, and says when a worker that understands it last asked.
-- keys: versions
-- args: base
-- returns: for each version that was seen: it, how many jobs wait, and when (ms, 0 for never)
local seen, rows = redis.call('HGETALL', versions), {}
for at = 1, #seen, 2 do
  rows[#rows + 1] = {seen[at], redis.call('ZCARD', base .. VERSION_LINE .. seen[at]), seen[at + 1]}
end
return rows
