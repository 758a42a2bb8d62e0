--- Starts jobs within the limits of an exchange; those that are not admitted yet wait in lines, delayed.
-- needs: limit_taking
-- gates: paused concurrency [rate] window
-- keys: wait prioritized delayed active meta events marker priority_counter limiter unread stalled lines
-- args: base now request
-- returns: as `finishing.finish` of a call that ends no run
local wanted = cmsgpack.unpack(request)
local time = now ~= '' and tonumber(now) * 1000 or nil
if not time then
  local clock = redis.call('TIME')
  time = clock[1] * 1000000 + clock[2] + wanted.clock_offset * 1000
end
-- A full server refuses nothing more to a script that has written.
redis.call('SREM', stalled, '')
return take_admitted(keys, base, time, wanted)
