-- What became of an effect.
-- needs: events effect_records

-- What is unknown may have been applied; what is known to have failed was not, nor was any attempt before it.
local function conclude_effect(keys, effect, record, outcome, moment, source)
  local fields = {'outcome', outcome, 'ended', moment, 'by', source.by}
  for _, name in ipairs({'value', 'reason', 'note'}) do
    local text = source[name] or ''
    -- An open effect has none of them yet.
    if text ~= '' or record.outcome ~= 'open' then
      fields[#fields + 1], fields[#fields + 2] = name, text
    end
  end
  if outcome ~= 'committed' then
    fields[#fields + 1], fields[#fields + 2] = 'applied', outcome == 'unknown' and '1' or '0'
  end
  set_apart(keys, effect, record)
  redis.call('HSET', effect, unpack(fields))
  file_effect(keys, record.key, outcome, moment, record.outcome)
  if outcome == 'unknown' or record.outcome == 'unknown' then
    redis.call('XADD', keys.events, 'MAXLEN', '~', stream_cap(keys.meta), '*', 'event', 'effect', 'jobId', record.job,
      'key', record.key, 'outcome', outcome)
  end
end
