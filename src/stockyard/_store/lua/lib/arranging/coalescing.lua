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

-- Returns the options of a job whose payload is replaced, and whether they are the given ones.
local function options_beside(batch, id, given, options, number, is_older)
  local renewed = renewed_in(options)
  if is_older then return with_count(options, number, renewed), false end
  local placed, delay = keeping_place(given.options, options)
  local expires = string.find(placed, '"expiresIn":', 1, true)
  -- The time of `expires_in` counts from when the job may start, which its delay comes before.
  if not given.coalesce.keeps_expiry then
    renewed = expires and start_of(batch, id, given.timestamp) - delay or given.timestamp
  end
  local is_as_given = placed == given.options and (not expires or delay == 0 and renewed == given.timestamp)
  return with_count(placed, number, renewed), is_as_given
end

-- Replaces the payload of the job that waits, whose fields may be known; it keeps its place.
local function replace(batch, of_key, newest, id, given, known)
  local wanted, job = given.coalesce, batch.base .. id
  known = known or redis.call('HMGET', job, 'name', 'finishedOn', 'defa', 'data', 'opts', 'atm')
  local name, data, options, made = known[1], known[4], known[5], known[6]
  if name ~= given.name then return OTHER_NAME end
  local stays, is_older = combined(wanted.mode, wanted.field, data or '', given.data)
  if not stays then return MISFIT end
  local number, is_as_given, text
  local head, before, tail = same_but_for_count(given.options, options)
  if head and not is_older then
    -- As ticks of one symbol are: no more is read or put together of their options than this.
    number, is_as_given = string.format('%.0f', before + 1), true
    if not wanted.keeps_expiry then tail = string.format(',"renewed":%.0f', given.timestamp) end
    text = head .. number .. tail .. '}}'
  else
    number = string.format('%.0f', replaced_in(options) + 1)
    text, is_as_given = options_beside(batch, id, given, options, number, is_older)
  end
  if is_older then
    redis.call('HSET', job, 'opts', text)
  else
    redis.call('HSET', job, 'data', stays, 'opts', text)
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
  local waits, runs, of_key, newest, known = look_at(batch, given.coalesce.key)
  given.runs = runs
  if waits then return replace(batch, of_key, newest, waits, given, known) end
end

local function note_waiting(batch, given, id)
  if not given.coalesce then return end
  put_last(batch.base .. COALESCED .. given.coalesce.key, id)
  look_again(batch, given.coalesce.key, given.timestamp, given.runs)
end
