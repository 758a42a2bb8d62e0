-- New jobs of a coalescing key: the one that waits takes their payloads.
-- needs: counts coalesce_options coalesced_jobs found payloads

-- The job has the newest payload of its key.
local function put_last(of_key, id)
  local last = redis.call('ZREVRANGE', of_key, 0, 0, 'WITHSCORES')
  redis.call('ZADD', of_key, (tonumber(last[2]) or 0) + 1, id)
end

-- When a job that waits may start: now, or when it is due.
local function start_of(batch, id, now)
  local score = redis.call('ZSCORE', batch.keys.delayed, id)
  return score and math.max(now, math.floor(score / 4096)) or now
end

-- Replaces the payload of the job that waits; it keeps its place.
local function replace(batch, of_key, newest, id, given)
  local wanted, job = given.coalesce, batch.base .. id
  local name, data, options, made = unpack(redis.call('HMGET', job, 'name', 'data', 'opts', 'atm'))
  if name ~= given.name then return OTHER_NAME end
  local stays, is_older = combined(wanted.mode, wanted.field, data or '', given.data)
  if not stays then return MISFIT end
  local number, is_as_given = replaced_in(options) + 1, false
  if is_older then
    redis.call('HSET', job, 'opts', with_count(options, number, renewed_in(options)))
  else
    local placed, delay = keeping_place(given.options, options)
    local expires = string.find(placed, '"expiresIn":', 1, true)
    local renewed = renewed_in(options)
    -- The time of `expires_in` counts from when the job may start, which its delay comes before.
    if not wanted.keeps_expiry then renewed = expires and start_of(batch, id, given.timestamp) - delay or given.timestamp end
    is_as_given = placed == given.options and (not expires or delay == 0 and renewed == given.timestamp)
    redis.call('HSET', job, 'data', stays, 'opts', with_count(placed, number, renewed))
    -- The attempts were those of the payload before.
    if made then redis.call('HSET', job, 'atm', 0, 'failedReason', '', 'stacktrace', '[]') end
    if newest ~= id then put_last(of_key, id) end
  end
  announce_replaced(batch, id, number)
  count(batch.counted, 'replaced')
  if wanted.mode == 'merge' or wanted.mode == 'max' or not is_as_given then return found(batch.base, id) end
  return {id, 0}
end

-- Returns what is answered in place of a new job, or nothing when the job is to be added.
local function coalesce_job(batch, given)
  if not given.coalesce then return nil end
  local waits, runs, of_key, newest = look_at(batch, given.coalesce.key)
  given.runs = runs
  if waits then return replace(batch, of_key, newest, waits, given) end
end

local function note_waiting(batch, given, id)
  if not given.coalesce then return end
  put_last(batch.base .. COALESCED .. given.coalesce.key, id)
  look_again(batch, given.coalesce.key, given.timestamp, given.runs)
end
