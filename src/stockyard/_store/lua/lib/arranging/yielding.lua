-- Jobs that have come to wait again: of each coalescing key one waits, and none that a newer one has overtaken.
-- needs: coalesced_jobs counts decoding

-- The coalescing key of a job, or nothing.
local function coalescing_key_of(base, id)
  local options = redis.pcall('HGET', base .. id, 'opts')
  local given = type(options) == 'string' and decode_object(options).coalesce
  return type(given) == 'table' and type(given.key) == 'string' and given.key
end

-- Of a key, forgets what has gone.
local function settle_key(batch, key, now)
  local waits, runs, of_key = look_at(batch, key)
  if waits or runs then
    look_again(batch, key, now, runs)
  else
    redis.call('UNLINK', of_key)
    redis.call('ZREM', batch.base .. COALESCED_DUE, key)
  end
end

-- In the write that puts them back: what takes jobs next must not find two of a key, or an overtaken one.
local function yield_to_newer(keys, base, ids, now)
  local batch, names = {base = base, keys = keys, counted = {}}, {}
  for _, id in ipairs(ids) do
    local key = coalescing_key_of(base, id)
    if key then
      put_first(base .. COALESCED .. key, id)
      names[#names + 1] = key
    end
  end
  for _, key in ipairs(names) do settle_key(batch, key, now) end
  write_counts(base, batch.counted)
end
