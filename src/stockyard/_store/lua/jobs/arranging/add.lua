--- Adds jobs of a queue that arranges what waits, in the order given, or finds what is there in their place.
-- needs: events enqueue found counts
-- choices: [coalescing] [bounded] [aging] | [keyed] [aging]
-- keys: counter wait prioritized delayed active meta events marker priority_counter
-- args: base request jobs
-- returns: for each, in the order given, the id of the new job; what is there instead: a row, the id alone when it is to
--   be read, the id and 0 when it is as given; or a code, why it was refused
local batch = {
  base = base, keys = keys, wanted = cmsgpack.unpack(request), cap = stream_cap(meta), counted = {},
  any_ready = false, any_delayed = false,
}
local nothing = {}

local function add(given)
  local id = given.id
  -- In a shard, what follows the number stands behind a colon, which no id of a producer begins with.
  local is_own = id ~= '' and string.byte(id) ~= 58
  if is_own and redis.call('EXISTS', base .. id) == 1 then
    redis.call('XADD', events, '*', 'event', 'duplicated', 'jobId', id)
    return found(base, id)
  end
  -- only coalescing:
  local instead = coalesce_job(batch, given)
  if instead then return instead end
  -- end coalescing
  -- only bounded:
  if not bound(batch) then return QUEUE_FULL end
  -- end bounded
  local number = string.format('%.0f', redis.call('INCR', counter))
  if not is_own then id = number .. string.sub(id, 2) end
  local more = nothing
  -- only keyed:
  if given.key then more = {'stockyard.key', given.key} end
  -- end keyed
  redis.call('HSET', base .. id, 'name', given.name, 'data', given.data, 'opts', given.options, 'timestamp',
    given.timestamp, 'delay', given.delay, 'priority', given.priority, unpack(more))
  redis.call('XADD', events, '*', 'event', 'added', 'jobId', id, 'name', given.name)
  -- only coalescing:
  note_waiting(batch, given, id)
  -- end coalescing
  -- only keyed:
  if given.key and line_up(batch, given, id, number) then return id end
  -- end keyed
  -- only aging:
  if given.delay <= 0 and given.priority > 0 then
    to_ready_aged(batch, id, given.timestamp, given.priority)
    return id
  end
  -- end aging
  if enqueue(keys, id, given.timestamp, given.delay, given.priority, given.lifo) then
    batch.any_delayed = true
  else
    batch.any_ready = true
  end
  return id
end

local answers, new_jobs = {}, cmsgpack.unpack(jobs)
-- only aging:
regrade(batch, new_jobs[1].timestamp, 100)
-- end aging
-- Those before one that cannot be added are counted and started.
local ok, failure = pcall(function()
  for index, given in ipairs(new_jobs) do answers[index] = add(given) end
end)
-- only aging:
write_aged(batch)
-- end aging
-- only keyed:
count_lined_up(batch)
-- end keyed
trim(events, batch.cap)
write_counts(base, batch.counted)
wake_workers(keys, batch.any_ready, batch.any_delayed)
if not ok then return type(failure) == 'table' and failure or {err = failure} end
return answers
