--- Lets no job start until the queue is resumed.
-- keys: meta events marker
-- args:
-- returns: 0
redis.call('HSET', meta, 'paused', 1)
redis.call('DEL', marker)
redis.call('XADD', events, '*', 'event', 'paused')
return 0
