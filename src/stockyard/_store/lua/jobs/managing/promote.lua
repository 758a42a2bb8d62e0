--- Lets delayed jobs run now, those first that would have been first.
-- needs: events markers transitions
-- keys: wait prioritized delayed active meta events marker priority_counter
-- args: base room
-- returns: how many are no longer delayed, how many of them wait now
local ids = redis.call('ZRANGE', delayed, 0, room - 1)
if #ids == 0 then return {0, 0} end
-- The write that takes no memory comes first: a full server refuses nothing after it.
out_of(delayed, unpack(ids))
local cap, ready = stream_cap(meta), 0
for _, id in ipairs(ids) do
  local job = base .. id
  -- What is no record never runs; it must not cost the others their places.
  if redis.call('TYPE', job).ok == 'hash' then
    redis.call('HSET', job, 'delay', 0)
    to_ready(keys, id, tonumber(redis.call('HGET', job, 'priority')) or 0, false)
    redis.call('XADD', events, 'MAXLEN', '~', cap, '*', 'event', 'waiting', 'jobId', id, 'prev', 'delayed')
    ready = ready + 1
  end
end
wake(keys)
return {#ids, ready}
