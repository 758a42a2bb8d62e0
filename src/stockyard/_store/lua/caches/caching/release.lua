--- Gives up the lock for loading an entry, if it is still the caller's.
-- keys: home
-- args: lock token
-- returns: 1, or 0 when it was another's or gone
if redis.call('GET', lock) ~= token then return 0 end
return redis.call('DEL', lock)
