-- A cache's budget: what is in it, when each entry was last used and expires, and who leaves when there is no room.

-- What the call changes, by cache: bytes, entries, evictions; written once, at its end.
local moved, moved_bytes = {}, 0

local function count_change(path, bytes, entries, evictions)
  local cache = string.match(path, '^(.-)::')
  local sums = moved[cache] or {bytes = 0, entries = 0, evictions = 0}
  sums.bytes, sums.entries, sums.evictions =
    sums.bytes + bytes, sums.entries + entries, sums.evictions + evictions
  moved[cache], moved_bytes = sums, moved_bytes + bytes
end

-- The size is a part of the member: it must be known when the entry itself has expired.
local function member_of(path, size)
  return string.format('%d:%s', size, path)
end

local function count_in(base, path, size, used, expires)
  local member = member_of(path, size)
  if redis.call('ZADD', base .. ':lru', used, member) == 1 then count_change(path, size, 1, 0) end
  redis.call('ZADD', base .. ':expiry', expires, member)
end

local function count_out(base, member, path, size, evictions)
  redis.call('ZREM', base .. ':expiry', member)
  if redis.call('ZREM', base .. ':lru', member) == 1 then count_change(path, -size, -1, evictions) end
end

-- Counts out what the server has let expire; returns how many entries that were.
local function sweep(base, now_ms, most)
  local expired = redis.call('ZRANGEBYSCORE', base .. ':expiry', '-inf', string.format('%.0f', now_ms), 'LIMIT', 0, most)
  for _, member in ipairs(expired) do
    local size, path = string.match(member, '^(%d+):(.*)$')
    count_out(base, member, path, tonumber(size), 0)
  end
  return #expired
end

local function write_totals(base)
  local totals = base .. ':totals'
  for cache, sums in pairs(moved) do
    for what, by in pairs(sums) do
      if by ~= 0 then redis.call('HINCRBY', totals, cache .. ':' .. what, by) end
    end
  end
  if moved_bytes ~= 0 then redis.call('HINCRBY', totals, 'bytes', moved_bytes) end
end
