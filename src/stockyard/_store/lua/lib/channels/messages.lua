-- Reads entries of a durable channel, and the numbers that say how many are missing between them.

local function fields_of(entry)
  local fields = {}
  for at = 1, #entry[2], 2 do fields[entry[2][at]] = entry[2][at + 1] end
  return fields
end

-- What another program wrote may have no text; as the empty one, it fits no type.
local function text_of(entry)
  return fields_of(entry).d or ''
end

local function number_of(entry)
  return tonumber(fields_of(entry).n) or 0
end

-- How many were ever published up to this id, as far as what is left shows.
local function number_at(base, id)
  local stream = base .. 'messages'
  local before = redis.call('XREVRANGE', stream, id, '-', 'COUNT', 1)[1]
  if before then return number_of(before) end
  local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  if first then return number_of(first) - 1 end
  return tonumber(redis.call('HGET', base .. 'state', 'last')) or 0
end
