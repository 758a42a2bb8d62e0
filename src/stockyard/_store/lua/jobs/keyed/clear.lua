--- Removes jobs that wait in the lines of their keys.
-- needs: bulk_remove key_lines
-- keys: events stalled keys_lines keys_waiting
-- args: base room
-- returns: how many were removed; fewer than `room` when no more are there
-- A full server refuses nothing more to a script that has written: what makes room must work.
redis.call('SREM', stalled, '')
local removed, above = 0, {}
room = tonumber(room)
for _, key in ipairs(redis.call('ZRANGE', keys_lines, 0, room - 1)) do
  if removed >= room then break end
  for _, id in ipairs(redis.call('ZRANGE', base .. KEY_LINE .. key, 0, room - removed - 1)) do
    out_of_key_line(keys, base, id, key)
    erase(base, id, above)
    removed = removed + 1
  end
end
if removed > 0 then redis.call('XADD', events, '*', 'event', 'cleaned', 'count', removed) end
return removed
