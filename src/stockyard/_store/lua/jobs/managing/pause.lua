--- Lets no job start until the queue is resumed.
-- keys: meta events marker
-- args:
-- returns: 0
-- The write that takes no memory comes first: a full server refuses nothing after it.
redis.call('DEL', marker)
redis.call('HSET', meta, 'paused', 1)
-- It stays paused when nothing halts it any more.
if redis.call('HEXISTS', meta, 'stockyard.halted') == 1 then redis.call('HSET', meta, 'stockyard.halted', 'paused') end
redis.call('XADD', events, '*', 'event', 'paused')
return 0
