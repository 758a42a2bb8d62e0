-- Removes jobs in bulk: silently, and with each the parent of the same queue that waited for it alone.
-- needs: queue_keys transitions markers removing parents

-- In another queue the parent goes on instead, for nobody there asked for its end; this is not announced.
local function release_elsewhere(base, id)
  local keys = queue_keys(base)
  if not out_of_parents(keys, id) then return end
  to_ready(keys, id, tonumber(redis.call('HGET', base .. id, 'priority')) or 0, true)
  wake(keys)
end

-- The caller takes the job out of its place. A parent in the same queue is put on `above`, and counts on the job
-- until `erase_parents` has come to it.
local function erase(base, id, above)
  local job = base .. id
  local ties = redis.pcall('HMGET', job, 'parentKey', 'parent')
  if ties.err then return end
  release_deduplication_of_removed(base, job, id)
  drop(base, id)
  local parent, link = unpack(ties)
  if not parent then return end
  local of = parent_of(parent, link)
  if of.queueKey .. ':' == base then
    above[#above + 1] = {parent, of.id, job}
  elseif redis.call('SREM', parent .. DEPENDENCIES, job) == 1
    and redis.call('EXISTS', parent .. DEPENDENCIES) == 0 then
    release_elsewhere(of.queueKey .. ':', of.id)
  end
end

-- Families may be as deep as their makers like: at most so many parents; `above` keeps the others.
local function erase_parents(base, above, most)
  local keys = queue_keys(base)
  while #above > 0 and most > 0 do
    local parent, id, child = unpack(table.remove(above))
    most = most - 1
    if redis.call('SREM', parent .. DEPENDENCIES, child) == 1
      and redis.call('EXISTS', parent .. DEPENDENCIES) == 0
      and out_of_parents(keys, id) then
      erase(base, id, above)
    end
  end
end
