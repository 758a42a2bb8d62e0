-- Removes jobs in bulk: silently, and with each the parent of the same queue that waited for it alone.

-- In another queue the parent is let go instead, for nobody there asked for its end; this is not announced.
local function let_go(base, id)
  if redis.call('ZREM', base .. 'waiting-children', id) == 0 then return end
  local priority = tonumber(redis.call('HGET', base .. id, 'priority')) or 0
  make_ready(base .. 'wait', base .. 'prioritized', base .. 'pc', id, priority, true)
  if not is_blocked(base .. 'meta', base .. 'active') then ring(base .. 'marker') end
end

-- The caller takes the job out of its place.
local function erase(base, id)
  repeat
    local job, parent_id = base .. id, nil
    local tie = redis.pcall('HMGET', job, 'parentKey', 'parent')
    if tie.err then return end
    release_deduplication_of_removed(base, job, id)
    drop(base, id)
    local parent = tie[1]
    if parent and redis.call('SREM', parent .. ':dependencies', job) == 1
      and redis.call('EXISTS', parent .. ':dependencies') == 0 then
      local of = parent_of(parent, tie[2])
      if of.queueKey .. ':' ~= base then
        let_go(of.queueKey .. ':', of.id)
      elseif redis.call('ZREM', base .. 'waiting-children', of.id) == 1 then
        parent_id = of.id
      end
    end
    id = parent_id
  until not id
end
