--- Adds jobs in the order given, or finds those whose custom id exists.
-- needs: events markers transitions found
-- keys: counter wait prioritized delayed active meta events marker priority_counter
-- args: base jobs
-- returns: for each, in the order given, the id of the new job, or what is there instead (a row, or the id alone when
--   it is to be read); when the queue numbered them all, only the first number
local packed = cmsgpack.unpack(jobs)
local cap = stream_cap(meta)
-- Eight values of each job, one behind the other.
local number = #packed / 8
local first = redis.call('INCRBY', counter, number) - number
local ids, line = {}, {}
local any_ready, any_delayed, any_custom = false, false, false

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
  if custom == '' then id = string.format('%.0f', first + index) else any_custom = true end
  local job = base .. id
  ids[index] = id
  if custom ~= '' and redis.call('EXISTS', job) == 1 then
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
      redis.call('XADD', events, '*', 'event', 'waiting', 'jobId', id)
      any_ready = true
    end
  end
end
push_line()
trim(events, cap)
if any_ready then wake(keys) end
if any_delayed then add_delay_marker(keys) end
return any_custom and ids or first + 1
