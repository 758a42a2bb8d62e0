--- Starts jobs of the payload versions and the side of a worker within the limits of an exchange; others wait in lines.
-- needs: canary choosy_taking limit_calls limit_lines limit_states markers promoting transitions version_lines version_sides
-- gates: paused concurrency [rate] window
-- keys: wait prioritized delayed active meta events marker priority_counter limiter unread stalled lines versions
--   releases
-- args: base now request
-- returns: as `finishing.finish` of a call that ends no run
local wanted = cmsgpack.unpack(request)
local time = now ~= '' and tonumber(now) * 1000 or nil
if not time then
  local clock = redis.call('TIME')
  time = clock[1] * 1000000 + clock[2] + wanted.clock_offset * 1000
end
now = math.floor(time / 1000)
local moment = string.format('%.0f', now)
-- An idle worker looks again after this, in ms: the marker may have woken one of another release.
local LOOK = 500
-- Lines that one call looks through for its own, and those of them that it asks.
local MOST_LINES, MOST_ASKED = 1000, 50

local division = division_of(keys, wanted.release, now)
-- A full server refuses nothing more to a script that has written.
redis.call('SREM', stalled, '')

-- A line holds one version, and one side of it or both. One from before the queue had versions may hold any.
local understood, own, moved, is_aside = {}, {}, {}, false
for _, version in ipairs(wanted.versions) do
  local number = string.format('%.0f', version)
  understood[version], own['v' .. number .. '|'] = true, true
  for _, side in ipairs(not division and {} or division.takes_all and {CANARY, STABLE} or {division.side}) do
    own['v' .. number .. side .. '|'] = true
  end
end

-- The lines that this worker takes from, as far as they are due; and when the next one is.
local function own_lines()
  local found, all = {}, redis.call('ZRANGE', lines, 0, MOST_LINES - 1, 'WITHSCORES')
  for at = 1, #all, 2 do
    local kind = string.match(all[at], '^v%d+[:%a]*|')
    if not kind or own[kind] then
      if tonumber(all[at + 1]) > now then return found, tonumber(all[at + 1]) end
      found[#found + 1] = all[at]
      if #found == MOST_ASKED then break end
    end
  end
  return found
end

-- Returns whether a job may start that is ready; or of the first of a line, whose `members` are given, whether it is this
-- worker's. Another's is put behind those that need the same.
local function admits(id, members)
  local version, key = version_and_key(base .. id)
  local is_run, side = runs(division, understood, version, key, id)
  local number = string.format('%.0f', version)
  local kind = 'v' .. number .. (side or '') .. '|'
  moved[version] = true
  if not is_run and only_fails(base .. id) then return true end
  if is_run then return members and true or may_start(keys, base, id, now, time, wanted, kind) end
  if members then
    redis.call('ZREM', members, id)
    out_of_delayed(keys, id)
  end
  local _, line = plan_of(base .. id, id, wanted)
  line = kind .. (line or '')
  if not redis.call('ZSCORE', base .. LINE .. line, id) then join_line(base, line, id, ASIDE) end
  redis.call('ZADD', keys.lines, 'NX', now, line)
  set_aside(keys, base .. id, id, now, now + ASIDE)
  if redis.call('HEXISTS', versions, number) == 0 then redis.call('HSET', versions, number, 0) end
  is_aside = true
  return false
end

local has_room = false
local reply, _, is_empty = take_where(keys, base, moment, wanted, function(begin, room)
  has_room = room > 0
  -- Before what is due is promoted: the first of a line keeps its place in it.
  if has_room then take_lines(keys, base, now, time, wanted, begin, own_lines(), admits) end
  if promote_due(keys, base, now) then wake(keys) end
end, function(id) return admits(id) end)
write_states(wanted.limits.base, time)
note_asked(keys, wanted, moved, moment)
if is_aside or #reply[3] > 0 and not is_empty then add_marker(keys) end
if #reply[3] > 0 or reply[4] > 0 then return reply end
local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
local due = math.min(first[2] and math.floor(first[2] / 4096) or now + LOOK, now + LOOK)
local _, line_due = own_lines()
reply[5] = has_room and line_due and math.min(due, line_due) or due
return reply
