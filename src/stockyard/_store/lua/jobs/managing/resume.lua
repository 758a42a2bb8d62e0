--- Lets jobs start again, once what a BullMQ 5 set aside waits like the rest.
-- needs: markers transitions
-- keys: wait prioritized delayed paused meta events marker stalled
-- args: room
-- returns: how many are still set aside: while any are, the queue stays paused; or QUEUE_HALTED
if redis.call('HEXISTS', meta, 'stockyard.halted') == 1 then return QUEUE_HALTED end
-- A full server refuses nothing more to a script that has written: jobs start again.
redis.call('SREM', stalled, '')
local left = aside_to_ready(keys, room)
if left > 0 then return left end
redis.call('HDEL', meta, 'paused')
if redis.call('EXISTS', wait, prioritized) > 0 then add_marker(keys) end
add_delay_marker(keys)
redis.call('XADD', events, '*', 'event', 'resumed')
return 0
