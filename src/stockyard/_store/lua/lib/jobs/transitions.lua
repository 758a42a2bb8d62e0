-- Moves jobs between states: nothing else writes to the lists and sets that say where a job is.
-- needs: scores

-- Ready to run: behind what waits, or at the front of it, or by its priority.
local function to_ready(keys, id, priority, is_first)
  if priority > 0 then
    redis.call('ZADD', keys.prioritized, priority_score(keys.priority_counter, priority), id)
  else
    redis.call(is_first and 'RPUSH' or 'LPUSH', keys.wait, id)
  end
end

-- Ready to run at a place of the prioritized set that something else than BullMQ's own score says.
local function to_ready_at(set, id, score)
  redis.call('ZADD', set, score, id)
end

-- Jobs without a priority, one behind the other.
local function all_to_ready(keys, ids)
  redis.call('LPUSH', keys.wait, unpack(ids))
end

-- Ready to run as the next of its priority.
local function to_front(keys, id, priority)
  if priority > 0 then
    redis.call('ZADD', keys.prioritized, priority * PRIORITY_STEP, id)
  else
    redis.call('RPUSH', keys.wait, id)
  end
end

-- Returns when it is due.
local function to_delayed(keys, id, from, delay)
  local score, due = delay_score(keys.delayed, from, delay)
  redis.call('ZADD', keys.delayed, score, id)
  return due
end

-- A parent, which waits for its children.
local function to_parent(keys, id, moment)
  redis.call('ZADD', keys.waiting_children, moment, id)
end

-- The set is that of the completed or of the failed jobs.
local function to_done(set, id, moment)
  redis.call('ZADD', set, moment, id)
end

-- Each way out returns whether the job was there.
local function out_of_active(keys, id)
  return redis.call('LREM', keys.active, -1, id) > 0
end

local function out_of_delayed(keys, id)
  return redis.call('ZREM', keys.delayed, id) == 1
end

local function out_of_parents(keys, id)
  return redis.call('ZREM', keys.waiting_children, id) == 1
end

local function out_of_ready(keys, id)
  return redis.call('ZREM', keys.prioritized, id) == 1 or redis.call('LREM', keys.wait, -1, id) == 1
end

-- Out of wherever a job waits to be run, also where a BullMQ 5 sets it aside.
local function out_of_waiting(keys, id)
  return redis.call('ZREM', keys.delayed, id) + redis.call('ZREM', keys.prioritized, id) > 0
    or redis.call('LREM', keys.wait, -1, id) > 0 or redis.call('LREM', keys.paused, -1, id) > 0
end

-- Out of any set; returns the state that it had, or nothing for a job that is in none.
local function out_of_sets(keys, id)
  if redis.call('ZREM', keys.completed, id) == 1 then return 'completed' end
  if redis.call('ZREM', keys.waiting_children, id) == 1 then return 'waiting-children' end
  if redis.call('ZREM', keys.delayed, id) == 1 then return 'delayed' end
  if redis.call('ZREM', keys.failed, id) == 1 then return 'failed' end
  if redis.call('ZREM', keys.prioritized, id) == 1 then return 'prioritized' end
end

-- Out of wherever it is; returns where that was.
local function out_of_all(keys, id)
  local set = out_of_sets(keys, id)
  if set then return set end
  if redis.call('LREM', keys.wait, 1, id) == 1 then return 'wait' end
  if redis.call('LREM', keys.paused, 1, id) == 1 then return 'paused' end
  if redis.call('LREM', keys.active, 1, id) == 1 then return 'active' end
  return 'unknown'
end

-- Out of one set.
local function out_of(set, ...)
  redis.call('ZREM', set, ...)
end

-- Of a list, many are marked and then taken out together: one by one, each would cost a walk along the list.
local function mark_out(list, place)
  redis.call('LSET', list, place, '')
end

local function take_out_marked(list)
  redis.call('LREM', list, 0, '')
end

local function oldest_out_of(list, number)
  redis.call('LTRIM', list, 0, -(number + 1))
end

-- What a BullMQ 5 set aside is older than what waits: it runs before it, in its order. Returns how many are left.
local function part_of_aside_to_ready(keys, room)
  local ids = redis.call('LRANGE', keys.paused, 0, room - 1)
  if #ids == 0 then return 0 end
  redis.call('RPUSH', keys.wait, unpack(ids))
  redis.call('LTRIM', keys.paused, #ids, -1)
  return redis.call('LLEN', keys.paused)
end

-- The same, at once where nothing else waits; not every worker's user may rename keys.
local function aside_to_ready(keys, room)
  if redis.call('EXISTS', keys.paused) == 1 and redis.call('EXISTS', keys.wait) == 0 then
    redis.call('RENAME', keys.paused, keys.wait)
    return 0
  end
  return part_of_aside_to_ready(keys, room)
end
