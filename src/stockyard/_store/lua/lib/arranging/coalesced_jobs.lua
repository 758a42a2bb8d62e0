-- The jobs of a coalescing key: one waits, and none that a newer one has overtaken.
-- needs: counts coalesce_options queue_keys removing transitions payloads

-- When the jobs of a key are looked at again, in ms: soon while one runs, for it may come to wait once more.
local SOON, LATER = 1000, 60000

-- What a job does: 'waits', or 'runs'; 'ended', also when it is to fail at its next start; nothing when it is gone. Its
-- fields alone do not say whether one that was started runs; those of one that waits are returned too.
local function stage_of(keys, base, id)
  local fields = redis.pcall('HMGET', base .. id, 'name', 'finishedOn', 'defa', 'data', 'opts', 'atm', 'ats', 'processedOn')
  if fields.err or not fields[1] then return nil end
  if fields[2] or fields[3] then return 'ended' end
  local was_started = fields[7] or fields[8]
  if was_started and (redis.call('LPOS', keys.active, id) or redis.call('ZSCORE', queue_keys(base).waiting_children, id)) then
    return 'runs'
  end
  return 'waits', fields
end

local function announce_replaced(batch, id, number)
  redis.call('XADD', batch.keys.events, '*', 'event', 'coalesced', 'jobId', id, 'replaced', number)
end

-- A job that waits goes, for a newer payload of its key is there.
local function give_way(batch, id)
  -- The write that takes no memory comes first: a full server refuses nothing after it.
  out_of_waiting(queue_keys(batch.base), id)
  drop(batch.base, id)
  redis.call('XADD', batch.keys.events, '*', 'event', 'removed', 'jobId', id, 'prev', 'waiting')
  count(batch.counted, 'replaced')
end

local function payload_of(batch, id)
  local data, options = unpack(redis.call('HMGET', batch.base .. id, 'data', 'opts'))
  return data or '', options or ''
end

-- The older of two jobs gives way to the newer one, which waits too and has `data` from now on, or runs.
local function yield(batch, older, newer, data)
  local _, old_options = payload_of(batch, older)
  local _, options = payload_of(batch, newer)
  local number = replaced_in(options) + replaced_in(old_options) + 1
  give_way(batch, older)
  redis.call('HSET', batch.base .. newer, 'data', data, 'opts', with_count(options, number, renewed_in(options)))
  announce_replaced(batch, newer, number)
end

-- Of two jobs that wait the older one yields; its payload stays in the newer one where the mode joins payloads.
local function join(batch, older, newer)
  local old_data = payload_of(batch, older)
  local data, options = payload_of(batch, newer)
  local mode, field = mode_in(options)
  yield(batch, older, newer, combined(mode, field, old_data, data) or data)
end

-- A job that waits again would bring the past back, where a newer one of its key runs or has ended. Returns whether it
-- is gone; with `merge` it stays, and what the newer one has replaces what it has.
local function is_overtaken(batch, id, overtaker)
  local data, options = payload_of(batch, id)
  local mode, field = mode_in(options)
  if not overtaker then
    if mode ~= 'latest' then return false end
    give_way(batch, id)
    return true
  end
  local newer = payload_of(batch, overtaker)
  local stays, is_older = combined(mode, field, data, newer)
  if not stays or is_older then return false end
  if mode == 'merge' and stays ~= newer then
    if stays ~= data then redis.call('HSET', batch.base .. id, 'data', stays) end
    return false
  end
  yield(batch, id, overtaker, newer)
  return true
end

-- Returns which job of a key waits, whether one runs, the set of its jobs, the last of these, and the fields of the one
-- that waits where they are known. The set has the job with the oldest payload first, and the member '' in the place of
-- the newest one that has ended.
local function look_at(batch, key)
  local of_key = batch.base .. COALESCED .. key
  local entries = redis.call('ZRANGE', of_key, 0, -1, 'WITHSCORES')
  local waits, runs, overtaker, has_ended, known = nil, false, nil, false, nil
  for at = 1, #entries, 2 do
    local id = entries[at]
    local stage, fields = 'ended', nil
    if id ~= '' then stage, fields = stage_of(batch.keys, batch.base, id) end
    if stage == 'waits' then
      known = fields
      if waits then
        join(batch, waits, id)
        redis.call('ZREM', of_key, waits)
        known = nil
      end
      -- What runs or has ended before it is older.
      waits, overtaker, has_ended = id, nil, false
    elseif stage == 'runs' then
      runs, overtaker = true, id
    else
      if id ~= '' then redis.call('ZREM', of_key, id) end
      if stage == 'ended' then
        redis.call('ZADD', of_key, 'GT', entries[at + 1], '')
        has_ended = true
      end
    end
  end
  if waits and (overtaker or has_ended) then
    known = nil
    if is_overtaken(batch, waits, overtaker) then
      redis.call('ZREM', of_key, waits)
      waits = nil
    end
  end
  return waits, runs, of_key, entries[#entries - 1], known
end

-- A job that had ended waits again: it is older than those that are there.
local function put_first(of_key, id)
  if redis.call('ZSCORE', of_key, id) then return end
  local first = redis.call('ZRANGE', of_key, 0, 1, 'WITHSCORES')
  local place = (tonumber(first[2]) or 0) - 0.5
  if first[1] == '' then place = first[4] and tonumber(first[4]) - 0.5 or tonumber(first[2]) + 1 end
  redis.call('ZADD', of_key, place, id)
end

local function look_again(batch, key, now, runs)
  redis.call('ZADD', batch.base .. COALESCED_DUE, now + (runs and SOON or LATER), key)
end
