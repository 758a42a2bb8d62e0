-- The versions of a cache's tags.
-- needs: entries

-- Returns a tag's version, a new one where there was none; it outlives every entry that is written under it.
local function version_of(base, name, tag, lifetime, new)
  local key = tag_of(base, name, tag)
  local version = redis.call('GET', key)
  if not version then
    redis.call('SET', key, new, 'PX', 2 * lifetime)
    return new
  end
  -- Twice as long as needed: the near caches learn of each change, which drop what they hold under the tag.
  if redis.call('PTTL', key) < lifetime then redis.call('PEXPIRE', key, 2 * lifetime) end
  return version
end
