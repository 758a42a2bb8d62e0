--- Lets delayed jobs run now, those first that would have been first.
-- needs: events markers placing
-- keys: wait prioritized delayed active meta events marker priority_counter
-- args: base room
-- returns: how many are no longer delayed, how many of them wait now
local ids = redis.call('ZRANGE', delayed, 0, room - 1)
if #ids == 0 then return {0, 0} end
-- The write that takes no memory comes first: a full server refuses nothing after it.
redis.call('ZREM', delayed, unpack(ids))
local cap, ready = stream_cap(meta), 0
for _, id in ipairs(ids) do
  local job = base .. id
  -- What is no record never runs; it must not cost the others their places.
  if redis.call('TYPE', job).ok == 'hash' then
    redis.call('HSET', job, 'delay', 0)
    make_ready(wait, prioritized, priority_counter, id, tonumber(redis.call('HGET', job, 'priority')) or 0, false)
    redis.call('XADD', events, 'MAXLEN', '~', cap, '*', 'event', 'waiting', 'jobId', id, 'prev', 'delayed')
    ready = ready + 1
  end
end
if not is_blocked(meta, active) then ring(marker) end
return {#ids, ready}
