-- New jobs of a coalescing key: the one that waits takes their payloads.
-- needs: counts coalesce_options coalesced_jobs found payloads

-- The job has the newest payload of its key.
local function put_last(of_key, id)
  local last = redis.call('ZREVRANGE', of_key, 0, 0, 'WITHSCORES')
  redis.call('ZADD', of_key, (tonumber(last[2]) or 0) + 1, id)
end

-- Replaces the payload of the job that waits; it keeps its place.
local function replace(batch, of_key, newest, id, given)
  local wanted, job = given.coalesce, batch.base .. id
  local name, data, options, made = unpack(redis.call('HMGET', job, 'name', 'data', 'opts', 'atm'))
  if name ~= given.name then return OTHER_NAME end
  local stays, is_older = combined(wanted.mode, wanted.field, data or '', given.data)
  if not stays then return MISFIT end
  local number = replaced_in(options) + 1
  if is_older then
    redis.call('HSET', job, 'opts', with_count(options, number, renewed_in(options)))
  else
    local renewed = not wanted.keeps_expiry and given.timestamp or renewed_in(options)
    redis.call('HSET', job, 'data', stays, 'opts', with_count(given.options, number, renewed))
    -- The attempts were those of the payload before.
    if made then redis.call('HSET', job, 'atm', 0, 'failedReason', '', 'stacktrace', '[]') end
    if newest ~= id then put_last(of_key, id) end
  end
  announce_replaced(batch, id, number)
  count(batch.counted, 'replaced')
  if wanted.mode == 'merge' or wanted.mode == 'max' then return found(batch.base, id) end
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
