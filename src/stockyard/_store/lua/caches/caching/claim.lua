--- Takes the lock for loading an entry, unless another holds it or has loaded the entry meanwhile.
-- needs: cache_budget entries versions
-- keys: home
-- args: base name key token lease stale seen tags lifetime version
-- returns: 1 and the versions of the tags: the lock is the caller's; 0 and ms: it is another's for so long;
--   2 and the entry as caching.read gives it, fresh or stale no longer than asked, and not the one seen
local now = now_us()
local uses = {}
local found = look_up(base, name, key, now, uses)
note_uses(base, uses)
write_totals(base)
if found and found[4] ~= seen and found[2] > -tonumber(stale) then return {2, found} end
local lock = lock_of(base, name, key)
if not redis.call('SET', lock, token, 'NX', 'PX', lease) then return {0, redis.call('PTTL', lock)} end
local versions = {}
for at, tag in ipairs(cmsgpack.unpack(tags)) do
  versions[at] = version_of(base, name, tag, tonumber(lifetime), version)
end
return {1, versions}
