-- Which finished jobs stay.
-- needs: removing transitions parents

local NO_LIMIT = -1

-- The keep option as given, as age in seconds, count and removals a call; count 0 removes at once.
local function keep_policy(keep)
  if keep == true then return nil, 0, 1000 end
  if not keep then return nil, NO_LIMIT, 1000 end
  if type(keep) == 'number' then return nil, keep, 1000 end
  return tonumber(keep.age), tonumber(keep.count) or NO_LIMIT, tonumber(keep.limit) or 1000
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
local function keep_within(finished, base, age, count, limit, now, room)
  if age then
    local old = redis.call('ZREVRANGEBYSCORE', finished, now - age * 1000, 0, 'LIMIT', 0, math.min(limit, room))
    remove_finished(finished, base, old)
    room = room - #old
  end
  if count > 0 then
    local surplus = math.min(redis.call('ZCARD', finished) - count, room)
    if surplus > 0 then
      remove_finished(finished, base, redis.call('ZRANGE', finished, 0, surplus - 1))
      room = room - surplus
    end
  end
  return room
end
