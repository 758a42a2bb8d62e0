-- A job with its descendants, in whatever queues they are.

-- A child is known by its key alone, in which its id has no colon; what is no such text has no place.
local function place_of(child)
  return child:match('^(.*:)(.*)$')
end

local function all_children(job)
  local children = redis.call('HKEYS', job .. ':processed')
  for _, child in ipairs(redis.call('HKEYS', job .. ':failed')) do children[#children + 1] = child end
  for _, child in ipairs(redis.call('ZRANGE', job .. ':unsuccessful', 0, -1)) do children[#children + 1] = child end
  for _, child in ipairs(redis.call('SMEMBERS', job .. ':dependencies')) do children[#children + 1] = child end
  return children
end

-- Those that have neither ended nor are being run.
local function idle_children(job)
  local children = {}
  for _, child in ipairs(redis.call('SMEMBERS', job .. ':dependencies')) do
    local base, id = place_of(child)
    if base and redis.call('EXISTS', child .. ':lock') == 0 and not redis.call('ZSCORE', base .. 'failed', id) then
      children[#children + 1] = child
    end
  end
  return children
end

local function no_children()
  return {}
end

-- Whether a worker runs the job or one of those below it.
local function is_held(job, children_of)
  local open, seen = {job}, {[job] = true}
  while #open > 0 do
    local each = table.remove(open)
    if redis.call('EXISTS', each .. ':lock') == 1 then return true end
    for _, child in ipairs(children_of(each)) do
      if not seen[child] then
        seen[child] = true
        open[#open + 1] = child
      end
    end
  end
  return false
end

local function leave_place(base, id)
  for _, set in ipairs({'completed', 'waiting-children', 'delayed', 'failed', 'prioritized'}) do
    if redis.call('ZREM', base .. set, id) == 1 then return set end
  end
  for _, list in ipairs({'wait', 'paused', 'active'}) do
    if redis.call('LREM', base .. list, 1, id) == 1 then return list end
  end
  return 'unknown'
end

-- Removes a job, those below it first; returns how many there were.
local function remove_family(base, id, children_of, seen)
  local job, removed = base .. id, 0
  seen[job] = true
  forget_child(job, job)
  for _, child in ipairs(children_of(job)) do
    local child_base, child_id = place_of(child)
    if child_base and not seen[child] then
      removed = removed + remove_family(child_base, child_id, children_of, seen)
    end
  end
  local left = leave_place(base, id)
  release_deduplication_of_removed(base, job, id)
  if drop(base, id) == 0 then return removed + (left == 'unknown' and 0 or 1) end
  redis.call('XADD', base .. 'events', 'MAXLEN', '~', stream_cap(base .. 'meta'), '*', 'event', 'removed',
    'jobId', id, 'prev', left)
  return removed + 1
end
