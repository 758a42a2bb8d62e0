--- Starts jobs whose payload version the worker understands; the others wait aside for one that does.
-- needs: choosy_taking markers promoting version_lines
-- gates: paused concurrency [rate] window
-- keys: wait prioritized delayed active meta events marker priority_counter limiter unread stalled versions
-- args: base now request
-- returns: as `finishing.finish` of a call that ends no run
local wanted = cmsgpack.unpack(request)
if now == '' then
  local clock = redis.call('TIME')
  now = clock[1] * 1000 + math.floor(clock[2] / 1000) + wanted.clock_offset
end
now = tonumber(now)
local moment = string.format('%.0f', now)
-- An idle worker looks again after this, in ms: the marker for what was put aside may have woken another one.
local LOOK = 500

-- A full server refuses nothing more to a script that has written: a job that has left its place must reach the next.
redis.call('SREM', stalled, '')

local understood = {}
for _, version in ipairs(wanted.versions) do understood[version] = true end
note_understood(keys, wanted.versions, moment)
if promote_due(keys, base, now) then wake(keys) end
local reply, aside, is_empty = take_where(keys, base, moment, wanted, function(begin, room)
  if room > 0 then take_aside(keys, base, wanted.versions, begin) end
end, function(id)
  local version = payload_version_of(base .. id)
  if not understood[version] then put_aside(keys, base, id, now, version) end
  return understood[version]
end)
local number = #reply[3]
-- The worker that is woken may understand what this one does not.
if aside > 0 or number > 0 and not is_empty then add_marker(keys) end
if number == 0 and reply[4] == 0 then
  local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  reply[5] = math.min(first[2] and math.floor(first[2] / 4096) or now + LOOK, now + LOOK)
end
return reply
