--- Adds jobs in the order given, or finds those whose custom id exists.
-- parts: events markers placing
-- keys: counter wait prioritized delayed active meta events marker priority_counter
-- args: base now jobs
-- returns: the ids, in the order given
local packed = cmsgpack.unpack(jobs)
local cap = stream_cap(meta)
local first = redis.call('INCRBY', counter, #packed) - #packed
local ids, line = {}, {}
local any_ready, any_delayed = false, false

-- Plain jobs of one call go on the list together.
local function push_line()
  if #line > 0 then
    redis.call('LPUSH', wait, unpack(line))
    line = {}
  end
end

for index, given in ipairs(packed) do
  local custom, name, data, options, timestamp, delay, priority, lifo = unpack(given, 1, 8)
  local id = custom ~= '' and custom or string.format('%.0f', first + index)
  local job = base .. id
  ids[index] = id
  if custom ~= '' and redis.call('EXISTS', job) == 1 then
    redis.call('XADD', events, 'MAXLEN', '~', cap, '*', 'event', 'duplicated', 'jobId', id)
  else
    redis.call('HSET', job, 'name', name, 'data', data, 'opts', options, 'timestamp', timestamp, 'delay', delay,
      'priority', priority)
    redis.call('XADD', events, '*', 'event', 'added', 'jobId', id, 'name', name)
    if delay > 0 then
      local score, due = delay_score(delayed, timestamp, delay)
      redis.call('ZADD', delayed, score, id)
      redis.call('XADD', events, 'MAXLEN', '~', cap, '*', 'event', 'delayed', 'jobId', id, 'delay', due)
      any_delayed = true
    else
      if priority > 0 then
        redis.call('ZADD', prioritized, priority_score(priority_counter, priority), id)
      elseif lifo then
        push_line()
        redis.call('RPUSH', wait, id)
      else
        line[#line + 1] = id
      end
      redis.call('XADD', events, 'MAXLEN', '~', cap, '*', 'event', 'waiting', 'jobId', id)
      any_ready = true
    end
  end
end
push_line()
if any_ready and not is_blocked(meta, active) then ring(marker) end
if any_delayed then ring_when_due(marker, delayed) end
return ids
