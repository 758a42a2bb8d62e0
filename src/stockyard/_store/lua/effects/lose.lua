--- Makes a job unknown that lost its worker, or is stopped, and has begun no effect.
-- needs: lost_jobs
-- keys: effects_unknown effects_settled stalled
-- args: base id reason at_start
-- returns: 1 if it is not to run again; 0 if it may: it began an effect, or was settled as not applied
-- A write that takes no memory: a full server refuses nothing after it.
redis.call('SREM', stalled, '')
if at_start == '1' then
  -- It was lost before, was settled since, and is tried again.
  local outcome = redis.call('HGET', base .. EFFECT .. 'job:' .. id, 'outcome')
  if outcome == 'failed' then return 0 end
  if outcome == 'committed' then return 1 end
end
return lose_job(keys, base, id, reason) and 1 or 0
