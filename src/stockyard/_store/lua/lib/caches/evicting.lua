-- Lets the least recently used entries of a cache go.
-- needs: cache_budget entries

-- The bytes that were counted when the call began, once they have been read.
local stored

-- Returns whether all entries together are within the limit; a bounded number leaves in one call.
local function evict(base, limit)
  local totals = base .. ':totals'
  stored = stored or tonumber(redis.call('HGET', totals, 'bytes')) or 0
  local left = 1000
  while stored + moved_bytes > limit and left > 0 do
    local oldest = redis.call('ZRANGE', base .. ':lru', 0, 9)
    if #oldest == 0 then
      -- Nothing is there, so what is counted is wrong: keys were lost or deleted by another program.
      redis.call('DEL', totals, base .. ':expiry')
      moved, moved_bytes, stored = {}, 0, 0
      return limit >= 0
    end
    for _, member in ipairs(oldest) do
      if stored + moved_bytes <= limit then break end
      local size, path = string.match(member, '^(%d+):(.*)$')
      -- Behind an expired one of another size there may be a newer entry, which has a place of its own.
      if size_of(base .. path) == tonumber(size) then redis.call('DEL', base .. path) end
      count_out(base, member, path, tonumber(size), 1)
      left = left - 1
    end
  end
  return stored + moved_bytes <= limit
end
