--- Counts the jobs that wait aside by their payload version, and says when a worker that understands it last asked.
-- needs: version_sides
-- keys: versions releases lines
-- args: base
-- returns: for each version that was seen: it, how many jobs wait aside, and when (ms, 0 for never); of the canary its
--   version, its share and since when it is set, empty for none; when a worker of each release last asked
local seen, rows, asked = redis.call('HGETALL', versions), {}, {}
local in_lines = count_in_limit_lines(base, lines)
for at = 1, #seen, 2 do
  rows[#rows + 1] = {seen[at], count_aside(base, seen[at]) + (in_lines[seen[at]] or 0), seen[at + 1]}
end
local noted = redis.call('HGETALL', releases)
for at = 1, #noted, 2 do
  local release = string.match(noted[at], '^release:(%d+)$')
  if release then asked[#asked + 1] = {release, noted[at + 1]} end
end
local canary = redis.call('HMGET', releases, 'canary', 'share', 'since')
return {rows, {canary[1] or '', canary[2] or '', canary[3] or ''}, asked}
