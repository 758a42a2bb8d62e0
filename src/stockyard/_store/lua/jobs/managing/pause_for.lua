--- Lets limited workers start nothing for a while.
-- keys: limiter
-- args: count duration
-- returns: 0
-- The write that takes no memory comes first: a full server refuses nothing after it.
redis.call('DEL', limiter)
redis.call('SET', limiter, count, 'PX', duration)
return 0
