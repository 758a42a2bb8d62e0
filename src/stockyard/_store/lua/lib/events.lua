-- The queue's event stream: how long it may grow, and what is told in it.

local function stream_cap(meta)
  local cap = redis.call('HGET', meta, 'opts.maxLenEvents')
  if not cap then
    cap = '10000'
    redis.call('HSET', meta, 'opts.maxLenEvents', cap)
  end
  return cap
end

local function trim(events, cap)
  redis.call('XTRIM', events, 'MAXLEN', '~', cap)
end
