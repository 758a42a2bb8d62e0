--- Settles an effect by what its venue, a stream or a person says of it.
-- needs: effect_records effect_outcomes
-- keys: meta events effects_open effects_unknown effects_settled effects_compact effects_audit
-- args: base key now settlement
-- returns: 0, EFFECT_MISSING, EFFECT_OPEN or EFFECT_SETTLED; the record as it stands, as a list of pairs
local finding = cmsgpack.unpack(settlement)
local effect = base .. EFFECT .. key
redis.call('HDEL', effect, '')
local record = read_effect(keys, base, key)
if not record.fence then return {EFFECT_MISSING, {}} end
local time = effect_time(now)
local moment, code = string.format('%.0f', time), 0
if finding.fence ~= '' and finding.fence ~= record.fence then
  -- It was begun again since: the finding is about another attempt.
  code = EFFECT_SETTLED
elseif finding.outcome == record.outcome and finding.outcome ~= 'unknown' then
  code = 0
elseif record.outcome == 'committed' or finding.outcome == 'unknown' and record.outcome == 'failed' then
  code = EFFECT_SETTLED
elseif finding.waits and record.outcome == 'open' and time < tonumber(record.deadline) then
  code = EFFECT_OPEN
elseif finding.outcome == 'unknown' then
  -- It was asked for, and nobody knows: when this was, and how often, decides when it is asked again. The answer may
  -- have taken long: what counts is when the question was asked.
  if finding.asked_at > 0 then
    set_apart(keys, effect, record)
    redis.call('HSET', effect, 'asked', string.format('%.0f', finding.asked_at))
    redis.call('HINCRBY', effect, 'asks', 1)
  end
  if record.outcome == 'open' then conclude_effect(keys, effect, record, 'unknown', moment, finding) end
else
  conclude_effect(keys, effect, record, finding.outcome, moment, finding)
  redis.call('XADD', effects_audit, 'MAXLEN', '~', 10000, '*', 'key', key, 'was', record.outcome, 'outcome',
    finding.outcome, 'by', finding.by, 'note', finding.note or '')
end
write_files(keys)
local _, stands = read_effect(keys, base, key)
return {code, stands}
