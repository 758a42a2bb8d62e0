--- Holds all calls, or those of one scope, until a time; a freeze that ends later stays.
-- keys: home
-- needs: limit_head
-- args: base now scope duration
-- returns: for how long calls are held from now on, in us
local head, field, time = base .. 'head', 'frozen:' .. scope, limit_now(now)
-- The write that takes no memory comes first: a full server refuses nothing after it.
redis.call('HDEL', head, '')
local till = math.max(time + tonumber(duration), tonumber(redis.call('HGET', head, field)) or 0)
redis.call('HSET', head, field, string.format('%.0f', till))
return till - time
