--- Lets expired entries of all caches leave the budget, and the least recently used until so many bytes are left.
-- needs: cache_budget entries evicting
-- keys: home
-- args: base budget
-- returns: whether that was done (1 or 0), then the totals by name
local swept = sweep(base, math.floor(now_us() / 1000), 1000)
local is_reached = evict(base, tonumber(budget)) and swept < 1000
write_totals(base)
return {is_reached and 1 or 0, redis.call('HGETALL', base .. ':totals')}
