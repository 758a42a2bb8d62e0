--- Writes an entry without tags in place of one that counts for as much, as most that are written one by one.
-- needs: cache_budget entries entry_sizes
-- keys: home
-- args: base name budget key value ttl stale took uses
-- returns: 1; 0 where that is not the case, or others have to leave: then nothing was written
local path = path_of(name, key)
if uses ~= '' then redis.call('ZADD', base .. ':lru', 'XX', 'GT', unpack(cmsgpack.unpack(uses))) end
local size, limit = size_of(base .. path), tonumber(budget)
if size ~= size_in_budget(base, path, #value, 0) or size > limit then return 0 end
if (tonumber(redis.call('HGET', base .. ':totals', 'bytes')) or 0) > limit then return 0 end
local now, member = now_us(), member_of(path, size)
-- What is not among the uses is not counted.
if redis.call('ZADD', base .. ':lru', 'XX', 'CH', now, member) == 0 then return 0 end
local fresh_until = math.floor(now / 1000) + ttl
redis.call('SET', base .. path, pack_entry(fresh_until, took, size, '', value), 'PX', ttl + stale)
redis.call('ZADD', base .. ':expiry', fresh_until + stale, member)
redis.call('DEL', lock_of(base, name, key))
return 1
