--- Appends messages, each with its number, and removes the oldest.
-- keys: home
-- args: base texts keep max_len
-- returns: the id of each message
local stream, ids = base .. 'messages', {}
local payloads = cmsgpack.unpack(texts)
local number = redis.call('HINCRBY', base .. 'state', 'last', #payloads) - #payloads
for at, text in ipairs(payloads) do
  ids[at] = redis.call('XADD', stream, '*', 'n', number + at, 'd', text)
end
if max_len ~= '' then redis.call('XTRIM', stream, 'MAXLEN', max_len) end
if keep ~= '' then
  local time = redis.call('TIME')
  local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - keep
  redis.call('XTRIM', stream, 'MINID', string.format('%.0f', oldest))
end
return ids
