--- Notes jobs under values of their payloads, for searches, and forgets some whose records are gone.
-- keys: home
-- args: base entries place
-- returns: how many were forgotten
-- Two are looked at for each that is noted, from a place that the caller draws: so an index never has many more entries
-- than twice the jobs there are, and scripts that remove jobs need not know of it.
local LOOKS = 2
local forgotten = 0

for path, noted in pairs(cmsgpack.unpack(entries)) do
  for _, entry in ipairs(noted) do redis.call('ZADD', base .. INDEX .. path, 0, entry) end
  local length = redis.call('ZCARD', base .. INDEX .. path)
  local first = math.floor(place * length)
  for _, entry in ipairs(redis.call('ZRANGE', base .. INDEX .. path, first, first + LOOKS * #noted - 1)) do
    local id = string.match(entry, '^%Z*%z%d+%z(.*)$')
    if not id or redis.call('EXISTS', base .. id) == 0 then
      redis.call('ZREM', base .. INDEX .. path, entry)
      forgotten = forgotten + 1
    end
  end
end
return forgotten
