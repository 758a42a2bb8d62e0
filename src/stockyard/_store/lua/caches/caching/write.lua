--- Writes entries of a cache; expired ones leave the budget, then the least recently used, until there is room.
-- needs: cache_budget entries entry_sizes evicting versions
-- keys: home
-- args: base name budget entries version uses
-- returns: for each entry 1, 0 when it is outdated already, NO_ROOM when there is none; then, if any of them was
--   changed, the cache's bytes, entries and evictions
local limit, now, totals = tonumber(budget), now_us(), base .. ':totals'
local now_ms, is_bounded = math.floor(now / 1000), limit >= 0
-- Bytes that the server needs for a tag.
local TAG_COST = 180

-- What the call has changed goes behind the answers.
local function with_totals(answers)
  if moved_bytes == 0 and next(moved) == nil then return answers end
  write_totals(base)
  local held = redis.call('HMGET', totals, name .. ':bytes', name .. ':entries', name .. ':evictions')
  for at = 1, 3 do answers[#answers + 1] = tonumber(held[at]) or 0 end
  return answers
end

-- Entries of the size that was there before, by their names in the budget: their places change together.
local kept, used, expiring = {}, {}, {}
local is_begun = false

-- Before others leave: entries that were read meanwhile without a script.
if uses ~= '' and is_bounded then redis.call('ZADD', base .. ':lru', 'XX', 'GT', unpack(cmsgpack.unpack(uses))) end

local rows = cmsgpack.unpack(entries)

local function place_kept()
  if #kept == 0 then return end
  -- Nearly always all of them have a place.
  if redis.call('ZADD', base .. ':lru', 'XX', 'CH', unpack(used)) ~= #kept then
    for at, member in ipairs(kept) do
      local size, path = string.match(member, '^(%d+):(.*)$')
      count_in(base, path, tonumber(size), used[2 * at - 1], expiring[2 * at - 1])
    end
  end
  redis.call('ZADD', base .. ':expiry', unpack(expiring))
  kept, used, expiring = {}, {}, {}
end

-- Before the first entry that takes another room than was there.
local function begin_budget()
  -- The one that leaves first must not be one that was just written.
  place_kept()
  if is_begun then return end
  is_begun = true
  -- What a full server would refuse comes first: then nothing has been changed.
  stored = redis.call('HINCRBY', totals, 'bytes', 0)
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

local locks = {}

local function store(at, key, value, ttl, stale, took, token, tags, seen)
  local path, lock = path_of(name, key), lock_of(base, name, key)
  if token ~= '' and redis.call('GET', lock) ~= token then return 0 end
  -- What is being loaded elsewhere is older than what is written here.
  locks[#locks + 1] = lock
  local packed, cost = '', 0
  if #tags > 0 then
    local held, needed = versioned(tags, seen, ttl + stale)
    if not held then return 0 end
    packed, cost = cmsgpack.pack(held), needed
  end
  local size = size_in_budget(base, path, #value + #packed, cost)
  -- One of the same size keeps its place in the budget.
  local before = size_of(base .. path)
  local stays = is_bounded and before == size
  if is_bounded and not stays then begin_budget() end
  if before and not stays then remove_sized(base, path, before) end
  if is_bounded and (size > limit or not stays and not evict(base, limit - size)) then
    if stays then
      begin_budget()
      remove_entry(base, path)
    end
    return NO_ROOM
  end
  redis.call('SET', base .. path, pack_entry(now_ms + ttl, took, size, packed, value), 'PX', ttl + stale)
  if stays then
    local number, member = #kept + 1, member_of(path, size)
    kept[number], used[2 * number], expiring[2 * number] = member, member, member
    used[2 * number - 1], expiring[2 * number - 1] = now + at, now_ms + ttl + stale
  elseif is_bounded then
    count_in(base, path, size, now + at, now_ms + ttl + stale)
  end
  return 1
end

local answers = {}
for at, each in ipairs(rows) do answers[at] = store(at, unpack(each)) end
if #kept > 0 then
  place_kept()
  -- The budget may be smaller than when they were written first.
  evict(base, limit)
end
if #locks > 0 then redis.call('DEL', unpack(locks)) end
return with_totals(answers)
