-- What became of an effect.
-- needs: events effect_records

-- What is unknown may have been applied; what is known to have failed was not, nor was any attempt before it.
local function conclude_effect(keys, effect, record, outcome, moment, source)
  redis.call('HSET', effect, 'outcome', outcome, 'ended', moment, 'by', source.by, 'value', source.value or '',
    'reason', source.reason or '', 'note', source.note or '')
  if outcome ~= 'committed' then redis.call('HSET', effect, 'applied', outcome == 'unknown' and '1' or '0') end
  file_effect(keys, record.key, outcome, moment, record.outcome)
  if outcome == 'unknown' or record.outcome == 'unknown' then
    redis.call('XADD', keys.events, 'MAXLEN', '~', stream_cap(keys.meta), '*', 'event', 'effect', 'jobId', record.job,
      'key', record.key, 'outcome', outcome)
  end
end
