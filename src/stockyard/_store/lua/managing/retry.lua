--- Puts finished jobs of one state back to where they wait, the oldest first.
-- parts: decoding events markers placing retrying
-- keys: wait prioritized active completed failed meta events marker priority_counter
-- args: base state latest room
-- returns: how many left the state, how many of them wait again
local set = state == 'failed' and failed or completed
local ids = redis.call('ZRANGEBYSCORE', set, '-inf', latest, 'LIMIT', 0, room)
if #ids == 0 then return {0, 0} end
local keys = {wait = wait, prioritized = prioritized, priority_counter = priority_counter, events = events}
-- The write that takes no memory comes first: a full server refuses nothing after it.
redis.call('ZREM', set, unpack(ids))
local cap, again = stream_cap(meta), 0
for _, id in ipairs(ids) do
  -- What is no record runs never again; it must not cost the others their places.
  if redis.call('TYPE', base .. id).ok == 'hash' then
    wait_again(keys, base .. id, id, state, cap)
    again = again + 1
  end
end
if not is_blocked(meta, active) then ring(marker) end
return {#ids, again}
