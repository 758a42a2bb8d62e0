-- Removes a job's own keys, and everything that names it elsewhere.

-- Returns how many keys there were.
local function drop(base, id)
  local job = base .. id
  -- Of a job with many children it would hold the server to free all at once.
  return redis.call('UNLINK', job, job .. LOGS, job .. DEPENDENCIES, job .. PROCESSED, job .. IGNORED,
    job .. UNSUCCESSFUL)
end

-- The deduplication key that a removed job owns goes with it.
local function release_deduplication_of_removed(base, job, id)
  local name = redis.call('HGET', job, 'deid')
  if name and redis.call('GET', base .. OWNER .. name) == id then
    redis.call('DEL', base .. OWNER .. name, base .. NEXT_OF .. name)
  end
end
