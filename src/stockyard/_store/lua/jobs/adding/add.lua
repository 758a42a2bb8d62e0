--- Adds jobs in the order given, or finds those whose custom id exists.
-- needs: events markers transitions found
-- keys: counter wait prioritized delayed active meta events marker priority_counter
-- args: base jobs
-- returns: for each, in the order given, the id of the new job, or what is there instead (a row, or the id alone when
--   it is to be read); when the queue numbered them all, only the first number
local COLON = 58
local packed = cmsgpack.unpack(jobs)
-- One look at what is asked of the queue: for a single job, each command is a tenth of the call.
local cap, is_paused, concurrency = unpack(redis.call('HMGET', meta, 'opts.maxLenEvents', 'paused', 'concurrency'))
cap = cap or stream_cap(meta)

-- One plain job, as most producers add them: without what many jobs share, a tenth of the call's time less.
if #packed == 8 and packed[1] == '' and packed[6] == 0 and packed[7] == 0 and not packed[8] then
  local added = redis.call('INCRBY', counter, 1)
  local id = string.format('%.0f', added)
  redis.call('HSET', base .. id, 'name', packed[2], 'data', packed[3], 'opts', packed[4], 'timestamp',
    string.format('%.0f', packed[5]), 'delay', '0', 'priority', '0')
  redis.call('XADD', events, '*', 'event', 'added', 'jobId', id, 'name', packed[2])
  to_ready(keys, id, 0)
  redis.call('XADD', events, 'MAXLEN', '~', cap, '*', 'event', 'waiting', 'jobId', id)
  wake(keys, {is_paused, concurrency})
  return added
end

-- Eight values of each job, one behind the other.
local number = #packed / 8
local first = redis.call('INCRBY', counter, number) - number
local ids, line = {}, {}
local any_ready, any_delayed, any_custom, is_trimmed = false, false, false, false

-- Plain jobs of one call go on the list together.
local function push_line()
  if #line > 0 then
    all_to_ready(keys, line)
    line = {}
  end
end

-- Numbers are formatted once for many jobs: the server's own way, for each argument of each call, is slow.
local text_of = {[0] = '0'}
local function text(value)
  local known = text_of[value]
  if not known then
    known = string.format('%.0f', value)
    text_of[value] = known
  end
  return known
end

for index = 1, number do
  local at = 8 * index - 8
  local custom, name, timestamp, delay, priority =
    packed[at + 1], packed[at + 2], packed[at + 5], packed[at + 6], packed[at + 7]
  local id = custom
  local is_own = false
  if custom == '' then
    id = string.format('%.0f', first + index)
  else
    any_custom = true
    -- In a shard, what follows the number; an id of the producer begins with no colon.
    is_own = string.byte(custom) ~= COLON
    if not is_own then id = string.format('%.0f', first + index) .. string.sub(custom, 2) end
  end
  local job = base .. id
  ids[index] = id
  if is_own and redis.call('EXISTS', job) == 1 then
    ids[index] = found(base, id)
    redis.call('XADD', events, '*', 'event', 'duplicated', 'jobId', id)
  else
    redis.call('HSET', job, 'name', name, 'data', packed[at + 3], 'opts', packed[at + 4], 'timestamp',
      text_of[timestamp] or text(timestamp), 'delay', text_of[delay] or text(delay), 'priority',
      text_of[priority] or text(priority))
    redis.call('XADD', events, '*', 'event', 'added', 'jobId', id, 'name', name)
    if delay > 0 then
      local due = to_delayed(keys, id, timestamp, delay)
      redis.call('XADD', events, '*', 'event', 'delayed', 'jobId', id, 'delay', due)
      any_delayed = true
    else
      if priority > 0 then
        to_ready(keys, id, priority)
      elseif packed[at + 8] then
        push_line()
        to_ready(keys, id, 0, true)
      else
        line[#line + 1] = id
      end
      if index == number then
        redis.call('XADD', events, 'MAXLEN', '~', cap, '*', 'event', 'waiting', 'jobId', id)
        is_trimmed = true
      else
        redis.call('XADD', events, '*', 'event', 'waiting', 'jobId', id)
      end
      any_ready = true
    end
  end
end
push_line()
if not is_trimmed then trim(events, cap) end
if any_ready then wake(keys, {is_paused, concurrency}) end
if any_delayed then add_delay_marker(keys) end
return any_custom and ids or first + 1
