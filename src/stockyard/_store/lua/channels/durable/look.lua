--- Finds the place behind an id, or behind everything.
-- needs: messages
-- keys: home
-- args: base after
-- returns: the id to go on behind, and the number of the message there; PLACE_UNKNOWN when some behind it may be gone
local stream = base .. 'messages'
if redis.call('EXISTS', stream) == 0 then
  -- Nothing was published yet, or the channel was deleted.
  if after == '' or after == '0-0' then return {'0-0', 0} end
  return {'0-0', PLACE_UNKNOWN}
end
local info, last = redis.call('XINFO', 'STREAM', stream), '0-0'
for at = 1, #info, 2 do
  if info[at] == 'last-generated-id' then last = info[at + 1] end
end
local id = after == '' and last or after
local function parts_of(text)
  local ms, sequence = string.match(text, '^(%d+)-?(%d*)$')
  return tonumber(ms), tonumber(sequence) or 0
end
local ms, sequence = parts_of(id)
local last_ms, last_sequence = parts_of(last)
-- The channel was made again, by a server whose clock was set back.
if ms > last_ms or (ms == last_ms and sequence > last_sequence) then return {'0-0', PLACE_UNKNOWN} end
local number = number_at(base, id)
local is_known = after == '' or after == '0-0' or id == last or number == 0
if not is_known and #redis.call('XREVRANGE', stream, id, '-', 'COUNT', 1) == 0 then number = PLACE_UNKNOWN end
return {id, number}
