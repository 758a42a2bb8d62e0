--- Starts jobs whose payload version the worker understands, and that are of its side of a canary; others wait aside.
-- needs: canary choosy_taking markers promoting version_lines
-- gates: paused concurrency [rate] window
-- keys: wait prioritized delayed active meta events marker priority_counter limiter unread stalled versions releases
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

local division = division_of(keys, wanted.release, now)
-- A full server refuses nothing more to a script that has written: a job that has left its place must reach the next.
redis.call('SREM', stalled, '')

local understood, moved, is_aside = {}, {}, false
for _, version in ipairs(wanted.versions) do understood[version] = true end
-- How many more jobs of the larger side a worker of the smaller one may put aside: the more it does, the later is a
-- more important job that comes in the meantime. Nobody keeps the larger side from what is its own.
local room_aside = division and room_of_larger(base, wanted.versions, division) or nil

-- Returns nothing for a job that stays where it is ready.
local function admits(id, is_ready)
  local version, key = version_and_key(base .. id)
  local is_run, side, is_ours = runs(division, understood, version, key, id)
  if is_run or only_fails(base .. id) then
    moved[version] = true
    return true
  end
  if not is_ours and room_aside then
    if is_ready and room_aside <= 0 then return nil end
    room_aside = room_aside - 1
  end
  moved[version], is_aside = true, true
  put_aside(keys, base, id, now, version, side)
  return false
end

if promote_due(keys, base, now) then wake(keys) end
local reply, _, is_empty = take_where(keys, base, moment, wanted, function(begin, room)
  if room > 0 then take_aside(keys, base, lines_for(base, wanted.versions, division), begin, admits) end
end, function(id) return admits(id, true) end)
note_asked(keys, wanted, moved, moment)
local number = #reply[3]
-- The worker that is woken may understand what this one does not.
if is_aside or number > 0 and not is_empty then add_marker(keys) end
if number == 0 and reply[4] == 0 then
  local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  reply[5] = math.min(first[2] and math.floor(first[2] / 4096) or now + LOOK, now + LOOK)
end
return reply
