-- Starts jobs within the limits of an exchange; those that are not admitted yet wait in lines, delayed.
-- needs: choosy_taking limit_lines limit_states markers promoting

-- Returns what `finishing.finish` returns of a call that ends no run. The caller has written something before: a job
-- that has left its place must reach the next.
local function take_admitted(keys, base, time, wanted)
  local now = math.floor(time / 1000)
  local has_room = false
  local reply, _, is_empty = take_where(keys, base, string.format('%.0f', now), wanted, function(begin, room)
    has_room = room > 0
    -- Before what is due is promoted: the first of a line keeps its place in it.
    if has_room then take_lines(keys, base, now, time, wanted, begin) end
    if promote_due(keys, base, now) then wake(keys) end
  end, function(id) return may_start(keys, base, id, now, time, wanted) end)
  write_states(wanted.limits.base, time)
  if #reply[3] > 0 and not is_empty then add_marker(keys) end
  if #reply[3] > 0 or reply[4] > 0 then return reply end
  local first = redis.call('ZRANGE', keys.delayed, 0, 0, 'WITHSCORES')
  local line = redis.call('ZRANGE', keys.lines, 0, 0, 'WITHSCORES')
  local due = first[2] and math.floor(first[2] / 4096) or 0
  -- A line that is due waits for room, as of a paused queue, and not for its time.
  if has_room and line[2] and (due == 0 or tonumber(line[2]) < due) then due = tonumber(line[2]) end
  reply[5] = due
  return reply
end
