--- Lets jobs start again, once what a BullMQ 5 set aside waits like the rest.
-- needs: markers
-- keys: wait prioritized delayed paused meta events marker stalled
-- args: room
-- returns: how many are still set aside: while any are, the queue stays paused
-- A full server refuses nothing more to a script that has written: jobs start again.
redis.call('SREM', stalled, '')
local aside = redis.call('LLEN', paused)
if aside > 0 and redis.call('EXISTS', wait) == 0 then
  redis.call('RENAME', paused, wait)
elseif aside > 0 then
  -- They are older than what waits: they run before it, in their order.
  local ids = redis.call('LRANGE', paused, 0, room - 1)
  redis.call('RPUSH', wait, unpack(ids))
  redis.call('LTRIM', paused, #ids, -1)
  if aside > #ids then return aside - #ids end
end
redis.call('HDEL', meta, 'paused')
if redis.call('EXISTS', wait, prioritized) > 0 then ring(marker) end
ring_when_due(marker, delayed)
redis.call('XADD', events, '*', 'event', 'resumed')
return 0
