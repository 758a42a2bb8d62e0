--- Writes entries of a cache; expired ones leave the budget, then the least recently used, until there is room.
-- needs: cache_budget entries evicting versions
-- keys: home
-- args: base name budget entries version
-- returns: for each entry 1, 0 when it is outdated already, NO_ROOM when there is none; then the cache's bytes,
--   entries and evictions
local limit, now, totals = tonumber(budget), now_us(), base .. ':totals'
local now_ms, is_bounded = math.floor(now / 1000), limit >= 0
-- Bytes that the server needs beside key and value: for an entry and its two places, and for a tag. What is stored
-- is rounded up by its allocator, by an eighth on average.
local ENTRY_COST, TAG_COST, ROUNDING = 350, 180, 1.125

if is_bounded then
  -- What a full server would refuse comes first: then nothing has been changed.
  redis.call('HINCRBY', totals, 'bytes', 0)
  sweep(base, now_ms, 200)
end

-- Pairs of tag and version, or nil when one was invalidated since the load began.
local function versioned(tags, seen, lifetime)
  local pairs_of, cost = {}, 0
  for at, tag in ipairs(tags) do
    local held = seen[at]
    if held and redis.call('GET', tag_of(base, name, tag)) ~= held then return nil end
    pairs_of[2 * at - 1], pairs_of[2 * at] = tag, version_of(base, name, tag, lifetime, version)
    cost = cost + TAG_COST + #name + #tag
  end
  return pairs_of, cost
end

local function store(at, key, value, ttl, stale, took, token, tags, seen)
  local path, lock = path_of(name, key), lock_of(base, name, key)
  if token ~= '' and redis.call('GET', lock) ~= token then return 0 end
  -- What is being loaded elsewhere is older than what is written here.
  redis.call('DEL', lock)
  local held, cost = versioned(tags, seen, ttl + stale)
  if not held then return 0 end
  local packed = #tags > 0 and cmsgpack.pack(held) or ''
  local size = math.floor((#value + #packed) * ROUNDING) + 3 * #path + #base + ENTRY_COST + cost
  remove_entry(base, path)
  if is_bounded and (size > limit or not evict(base, limit - size)) then return NO_ROOM end
  redis.call('SET', base .. path, pack_entry(now_ms + ttl, took, size, packed, value), 'PX', ttl + stale)
  if is_bounded then count_in(base, path, size, now + at, now_ms + ttl + stale) end
  return 1
end

local answers = {}
for at, each in ipairs(cmsgpack.unpack(entries)) do answers[at] = store(at, unpack(each)) end
write_totals(base)
for _, what in ipairs({'bytes', 'entries', 'evictions'}) do
  answers[#answers + 1] = tonumber(redis.call('HGET', totals, name .. ':' .. what)) or 0
end
return answers
