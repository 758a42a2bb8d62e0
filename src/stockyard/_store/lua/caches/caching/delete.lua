--- Deletes entries of a cache, and what is being loaded for them counts as outdated.
-- needs: cache_budget entries
-- keys: home
-- args: base name unwanted
-- returns: how many of them there were
local deleted = 0
for _, key in ipairs(cmsgpack.unpack(unwanted)) do
  redis.call('DEL', lock_of(base, name, key))
  deleted = deleted + remove_entry(base, path_of(name, key))
end
write_totals(base)
return deleted
