--- Writes what jobs are about to do outside their queue, each unless its lease or an earlier record stands in the way.
-- needs: begun_effects compact_effects effect_records effect_halts
-- keys: effects_open effects_unknown effects_settled effects_compact halts breaker
-- args: base now marks intents
-- returns: the time in ms; for each intent the ms that it has where it was begun now, for the first time; else 0, the ms
--   that it has, when it was begun, its deadline and its fence, or why it was not begun, the ms that it would have, the
--   record as it stands, as a list of pairs, and the halt that stands in the way, if one does
local WIDTH = 12
local moment = effect_time(now)
local time = string.format('%.0f', moment)
local packed, replies = cmsgpack.unpack(intents), {time}
-- Whether anything of the queue may be halted: asked once for all.
local may_be_halted = redis.call('EXISTS', halts, breaker) > 0
-- Whether all jobs say that they began an effect: asked where they run at most once. One that may expire says so too,
-- as it is not dropped then.
local is_marked = marks == '1'
-- Most effects are begun for the first time: whether any was before is asked once for all.
local names, effects = {}, {}
for at = 3, #packed, WIDTH do
  names[#names + 1], effects[#effects + 1] = packed[at], base .. EFFECT .. packed[at]
end
local compact = redis.call('HMGET', effects_compact, unpack(names))
local may_be_known = redis.call('EXISTS', unpack(effects)) > 0

-- Begins those that nothing stands in the way of, by few commands for many of them, and answers them.
local function begin_usual()
  local fields, scores, written, begun = {}, {}, 0, {}
  for at = 1, #packed, WIDTH do
    local id, starts, key, nonce, attempt, payload, most, least, fence, _, expires = unpack(packed, at, at + WIDTH - 2)
    local job, number = base .. id, (at + WIDTH - 1) / WIDTH
    local lease, run = redis.call('PTTL', job .. LOCK), redis.call('HMGET', job, 'ats', 'pb')
    local length = most > lease and lease or most
    if expires > 0 and expires - moment < length then length = expires - moment end
    if lease > 0 and run[1] == starts and length >= least and fence == '0' and not (compact[number] or begun[key]) then
      local deadline = string.format('%.0f', moment + length)
      if is_marked or expires > 0 then redis.call('HSET', job, BEGUN_EFFECT, key) end
      begun[key] = true
      fields[written + 1] = key
      fields[written + 2] = opened_as(nonce, starts, attempt, time, deadline, payload, id, run[2] or '')
      scores[written + 1], scores[written + 2] = deadline, key
      written = written + 2
      -- One number each: a list of five would cost both sides more than the commands that read.
      replies[number + 1] = length
    end
  end
  if written > 0 then
    redis.call('HSET', effects_compact, unpack(fields))
    redis.call('ZADD', effects_open, unpack(scores))
  end
end

local function begin(id, starts, key, nonce, attempt, payload, most, least, fence, outcome, expires, halt_names)
  local job, effect = base .. id, base .. EFFECT .. key
  local lease = redis.call('PTTL', job .. LOCK)
  local length, code = lease >= 0 and math.min(most, lease) or most, 0
  if expires > 0 then length = math.min(length, expires - moment) end
  local run = redis.call('HMGET', job, 'ats', 'pb')
  local record, fields = read_effect(keys, base, key)
  local halt = may_be_halted and halt_of_effect(keys, id, halt_names)
  -- A job that a worker lost is started by another, which counts: the number of the start says whose the lock is.
  if lease < 0 and redis.call('EXISTS', job .. LOCK) == 0 then
    code = LOCK_MISSING
  elseif run[1] ~= starts then
    code = LOCK_MISMATCH
  elseif halt then
    return {QUEUE_HALTED, length, fields, halt}
  elseif record.nonce and record.nonce == nonce then
    -- It is asked again, because the reply was lost.
    length = math.min(length, record.deadline - moment)
  elseif (record.fence or '0') ~= fence or (record.outcome or '') ~= outcome then
    code = EFFECT_EXISTS
  elseif expires > 0 and expires - moment < least then
    code = JOB_EXPIRED
  elseif length < least then
    code = LEASE_TOO_SHORT
  else
    -- What was begun and is not known to have failed may have been applied, and stays so.
    local may_be_applied = record.outcome == 'open' or record.outcome == 'unknown'
    local deadline = string.format('%.0f', moment + length)
    local first = may_be_applied and record.first or time
    fence = record.fence and string.format('%.0f', fence + 1) or '1'
    set_apart(keys, effect, record)
    redis.call('HSET', effect, 'key', key, 'job', id, 'worker', run[2] or '', 'nonce', nonce, 'fence', fence, 'begun',
      begun_as(starts, attempt, first, time, deadline, payload), 'outcome', 'open')
    if may_be_applied then redis.call('HSET', effect, 'applied', '1') end
    if record.fence then redis.call('HDEL', effect, 'value', 'reason', 'ended', 'by', 'note', 'asked', 'asks') end
    if is_marked or expires > 0 then redis.call('HSET', job, BEGUN_EFFECT, key) end
    file_effect(keys, key, 'open', deadline, record.outcome)
    if not record.fence then return length end
    return {0, length, time, deadline, fence}
  end
  if code == 0 then return {0, length, record.started, record.deadline, record.fence} end
  return {code, length, fields}
end

if not (may_be_known or may_be_halted) then begin_usual() end
local failure = for_each_filed(keys, function()
  -- The values of each intent, one behind the other.
  for at = 1, #packed, WIDTH do
    local number = (at + WIDTH - 1) / WIDTH
    replies[number + 1] = replies[number + 1] or begin(unpack(packed, at, at + WIDTH - 1))
  end
end)
return failure or replies
