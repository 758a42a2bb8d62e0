-- Moves jobs that start or end together.

-- The next ids: what waits plainly first, then by priority; also how many are plain, and the others with their scores.
local function pop_ready(keys, room)
  local ids = redis.call('RPOP', keys.wait, room) or {}
  local plain, by_priority = #ids, nil
  if plain < room then
    by_priority = redis.call('ZPOPMIN', keys.prioritized, room - plain)
    for i = 1, #by_priority, 2 do ids[#ids + 1] = by_priority[i] end
  end
  return ids, plain, by_priority
end

-- What was popped and is not started goes back to its place.
local function put_back(keys, ids, from, plain, by_priority)
  for at = #ids, from, -1 do
    if at <= plain then
      redis.call('RPUSH', keys.wait, ids[at])
    else
      redis.call('ZADD', keys.prioritized, by_priority[2 * (at - plain)], ids[at])
    end
  end
end

local function to_active(keys, ids)
  redis.call('LPUSH', keys.active, unpack(ids))
end

-- Pairs of a moment and an id.
local function all_to_done(set, pairs_of)
  redis.call('ZADD', set, unpack(pairs_of))
end

-- Mostly they are the oldest: taken off together, they cost no walk along the list. Returns the set of those that were
-- there.
local function all_out_of_active(keys, ids)
  local number, found, wanted, out, others = #ids, 0, {}, {}, {}
  for at = 1, number do wanted[ids[at]] = true end
  local oldest = redis.call('RPOP', keys.active, number) or {}
  for at = #oldest, 1, -1 do
    local id = oldest[at]
    if wanted[id] and not out[id] then
      out[id] = true
      found = found + 1
    else
      others[#others + 1] = id
    end
  end
  if #others > 0 then redis.call('RPUSH', keys.active, unpack(others)) end
  for at = 1, found < number and number or 0 do
    local id = ids[at]
    if not out[id] and redis.call('LREM', keys.active, -1, id) > 0 then out[id] = true end
  end
  return out
end

-- Of these ids those in the set, or all, are the oldest again, the first of them the oldest.
local function back_to_active(keys, ids, out)
  for at = #ids, 1, -1 do
    if not out or out[ids[at]] then redis.call('RPUSH', keys.active, ids[at]) end
  end
end
