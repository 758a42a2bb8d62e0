-- A job with its descendants, in whatever queues they are.
-- needs: events queue_keys removing transitions parents key_leaving

-- Jobs that one call removes together; of a larger family the caller removes part by part.
local FAMILY_AT_ONCE = 200

-- A child is known by its key alone, in which its id has no colon; what is no such text has no place.
local function place_of(child)
  return child:match('^(.*:)(.*)$')
end

local function number_of_children(job)
  return redis.call('HLEN', job .. PROCESSED) + redis.call('HLEN', job .. IGNORED)
    + redis.call('ZCARD', job .. UNSUCCESSFUL) + redis.call('SCARD', job .. DEPENDENCIES)
end

local function all_children(job)
  local children = redis.call('HKEYS', job .. PROCESSED)
  for _, child in ipairs(redis.call('HKEYS', job .. IGNORED)) do children[#children + 1] = child end
  for _, child in ipairs(redis.call('ZRANGE', job .. UNSUCCESSFUL, 0, -1)) do children[#children + 1] = child end
  for _, child in ipairs(redis.call('SMEMBERS', job .. DEPENDENCIES)) do children[#children + 1] = child end
  return children
end

local function number_pending(job)
  return redis.call('SCARD', job .. DEPENDENCIES)
end

-- Whether a child has neither ended nor is being run.
local function is_idle(child)
  local base, id = place_of(child)
  return base and redis.call('EXISTS', child .. LOCK) == 0 and not redis.call('ZSCORE', queue_keys(base).failed, id)
end

local function idle_children(job)
  local children = {}
  for _, child in ipairs(redis.call('SMEMBERS', job .. DEPENDENCIES)) do
    if is_idle(child) then children[#children + 1] = child end
  end
  return children
end

-- A job and all below it, each before its children; or nothing when they are too many for one call.
local function family_of(job, children_of, number_of)
  local open, seen, family, number = {job}, {[job] = true}, {}, 1
  while #open > 0 do
    local each = table.remove(open)
    family[#family + 1] = each
    number = number + number_of(each)
    if number > FAMILY_AT_ONCE then return nil end
    for _, child in ipairs(children_of(each)) do
      if not seen[child] and place_of(child) then
        seen[child] = true
        open[#open + 1] = child
      end
    end
  end
  return family
end

-- What is left of a job that has left its place; returns whether there was such a job.
local function remove_record(base, id, left)
  release_deduplication_of_removed(base, base .. id, id)
  if drop(base, id) == 0 then return left ~= 'unknown' end
  local keys = queue_keys(base)
  redis.call('XADD', keys.events, 'MAXLEN', '~', stream_cap(keys.meta), '*', 'event', 'removed', 'jobId', id,
    'prev', left)
  return true
end

-- Removes one job, for which its parent does not wait any more.
local function remove_one(job, base, id)
  forget_child(job, job)
  local left = out_of_all(queue_keys(base), id)
  if left == 'unknown' and leave_key_line(base, id) then left = 'waiting' end
  return remove_record(base, id, left)
end

-- Removes a family, children before parents, save the first `kept` of it; returns how many there were.
local function remove_family(family, kept)
  local removed = 0
  for at = #family, kept + 1, -1 do
    if remove_one(family[at], place_of(family[at])) then removed = removed + 1 end
  end
  return removed
end
