-- A key as readers get it.

-- Its first job is in hand of a worker, waits to be taken, or waits for its time or its children.
local function state_of_key(keys, base, id, key)
  if redis.call('HGET', keys.keys_parked, key) == id then return 'parked' end
  if redis.call('EXISTS', base .. id .. LOCK) == 1 then return 'running' end
  if redis.call('ZSCORE', keys.delayed, id) or redis.call('ZSCORE', keys.waiting_children, id) then return 'held' end
  return 'waiting'
end

-- The key, its first job, its state, how many wait in its line, when its first job was added, and why it failed if so.
local function key_row(keys, base, id, key)
  local fields = redis.pcall('HMGET', base .. id, 'timestamp', 'failedReason')
  if fields.err then fields = {} end
  local state = state_of_key(keys, base, id, key)
  return {
    key, id, state, redis.call('ZCARD', base .. KEY_LINE .. key), fields[1] or '',
    state == 'parked' and fields[2] or '',
  }
end
