--- Removes a queue piece by piece: its jobs in every state, its schedules, at the end its own keys.
-- needs: transitions bulk_remove version_sides
-- keys: counter wait prioritized delayed active completed failed paused waiting_children meta events marker
--   priority_counter stalled stalled_check limiter repeat_set schedule_check metrics_completed metrics_failed
--   unread lines versions releases counts coalesced_due aged halts held breaker breaker_failures
--   keys_heads keys_holders keys_parked keys_lines keys_waiting keys_check keys_rule
-- args: base room stage force
-- returns: 0 nothing of it is left, 1 there is more, QUEUE_RESUMED it was resumed meanwhile, JOBS_ACTIVE jobs run
if force ~= '1' and redis.call('EXISTS', active) == 1 then return JOBS_ACTIVE end
if stage == 'first' then
  -- The write that takes no memory comes first: what makes room must work on a full server.
  redis.call('DEL', marker)
  redis.call('HSET', meta, 'paused', 1)
  redis.call('XADD', events, '*', 'event', 'paused')
elseif redis.call('HEXISTS', meta, 'paused') == 0 then
  return QUEUE_RESUMED
end
local left = tonumber(room)

local function empty_list(list)
  local ids = redis.call('LRANGE', list, -left, -1)
  for _, id in ipairs(ids) do
    redis.call('DEL', base .. id .. LOCK)
    erase(base, id, {})
  end
  oldest_out_of(list, #ids)
  left = left - #ids
end

local function empty_set(set, forget)
  local members = redis.call('ZRANGE', set, 0, left - 1)
  -- Parents in this queue go like the rest of it.
  for _, member in ipairs(members) do forget(base, member, {}) end
  if #members > 0 then out_of(set, unpack(members)) end
  left = left - #members
end

-- Jobs that wait in the lines of their keys.
local function empty_lines()
  for _, key in ipairs(redis.call('ZRANGE', keys_lines, 0, left - 1)) do
    if left <= 0 then return end
    empty_set(base .. KEY_LINE .. key, erase)
    if left > 0 then redis.call('ZREM', keys_lines, key) end
  end
end

local function forget_schedule(_, schedule)
  redis.call('DEL', repeat_set .. ':' .. schedule)
end

for _, list in ipairs({active, wait, paused}) do
  if left > 0 then empty_list(list) end
end
for _, set in ipairs({delayed, prioritized, completed, failed, waiting_children}) do
  if left > 0 then empty_set(set, erase) end
end
if left > 0 then empty_lines() end
if left > 0 then empty_set(repeat_set, forget_schedule) end
if left <= 0 then return 1 end
if stage == 'last' then
  local halted = redis.call('HGET', meta, 'stockyard.halted')
  redis.call('UNLINK', counter, wait, prioritized, delayed, active, completed, failed, paused, waiting_children, meta,
    events, marker, priority_counter, stalled, stalled_check, limiter, repeat_set, schedule_check, metrics_completed,
    metrics_failed, unread, counts, coalesced_due, aged, keys_heads, keys_holders, keys_parked, keys_lines, keys_waiting,
    keys_check, keys_rule)
  for _, line in ipairs(redis.call('ZRANGE', lines, 0, -1)) do redis.call('UNLINK', base .. LINE .. line) end
  for _, version in ipairs(redis.call('HKEYS', versions)) do
    redis.call('UNLINK', line_of(base, version), line_of(base, version, CANARY), line_of(base, version, STABLE))
  end
  redis.call('UNLINK', lines, versions, releases, held, breaker_failures)
  -- A queue that is halted stays so: what is added to it later is held as well.
  if halted then
    redis.call('HSET', meta, 'paused', 1, 'stockyard.halted', halted)
  else
    redis.call('UNLINK', halts, breaker)
  end
else
  -- While there is a stream: those who wait for results look at once.
  redis.call('XADD', events, '*', 'event', 'obliterated')
end
return 0
