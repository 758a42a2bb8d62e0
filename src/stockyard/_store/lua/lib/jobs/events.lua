-- The queue's event stream: how long it may grow, in entries and in bytes.

-- Texts that are longer count against the bytes; the number of entries bounds the others.
local LARGE = 1000

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

-- Counts a large text that an entry holds. Whenever half of the limit was added since the mark, what came before the
-- mark goes, and the mark moves behind this entry: so the stream holds the limit and one text at most, and the last
-- half of it always, without looking at an entry again.
local function count_large(events, meta, entry, bytes)
  local limit, added, mark = unpack(
    redis.call('HMGET', meta, 'stockyard.events.maxBytes', 'stockyard.events.bytes', 'stockyard.events.mark'))
  limit, added = tonumber(limit) or 16777216, (tonumber(added) or 0) + bytes
  if added * 2 <= limit then
    redis.call('HSET', meta, 'stockyard.events.bytes', string.format('%.0f', added))
    return
  end
  if mark then redis.call('XTRIM', events, 'MINID', '~', mark) end
  local milliseconds, sequence = string.match(entry, '^(%d+)-(%d+)$')
  redis.call('HSET', meta, 'stockyard.events.bytes', '0', 'stockyard.events.mark',
    milliseconds .. '-' .. string.format('%.0f', sequence + 1))
end
