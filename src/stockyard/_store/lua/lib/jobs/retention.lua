-- Which finished jobs stay.
-- needs: removing transitions parents

local NO_LIMIT = -1

-- The keep option as given: age in seconds, count and removals a call; count 0 removes at once. `completed` and
-- `failed` are for the caller to note that jobs ended so that others may have to go.
local function keep_policy(keep)
  local age, count, limit
  if keep == true then
    count = 0
  elseif type(keep) == 'number' then
    count = keep
  elseif keep then
    age, count, limit = tonumber(keep.age), tonumber(keep.count), tonumber(keep.limit)
  end
  count = count or NO_LIMIT
  return {age = age, count = count, limit = limit or 1000, is_bounded = age ~= nil or count > 0}
end

local function remove_finished(finished, base, ids)
  if #ids == 0 then return end
  for _, id in ipairs(ids) do
    forget_child(base .. id, base .. id)
    drop(base, id)
  end
  out_of(finished, unpack(ids))
end

-- Returns how many may still go: a backlog, as of a lowered count, must not hold up the server; the next ends go on.
local function keep_within(finished, base, keep, now, room)
  if keep.age then
    local most = math.min(keep.limit, room)
    local old = redis.call('ZREVRANGEBYSCORE', finished, now - keep.age * 1000, 0, 'LIMIT', 0, most)
    remove_finished(finished, base, old)
    room = room - #old
  end
  if keep.count > 0 then
    local surplus = math.min(redis.call('ZCARD', finished) - keep.count, room)
    if surplus > 0 then
      remove_finished(finished, base, redis.call('ZRANGE', finished, 0, surplus - 1))
      room = room - surplus
    end
  end
  return room
end
