--- Ends a schedule; its next run goes with it while it is delayed.
-- needs: transitions removing
-- keys: delayed events repeat_set
-- args: base id
-- returns: 1, or 0 when there is no such schedule
local score = redis.call('ZSCORE', repeat_set, id)
if not score then return 0 end
local run = RUN .. id .. ':' .. string.format('%.0f', score)
if out_of_delayed(keys, run) then
  release_deduplication_of_removed(base, base .. run, run)
  drop(base, run)
  redis.call('XADD', events, '*', 'event', 'removed', 'jobId', run, 'prev', 'delayed')
end
redis.call('ZREM', repeat_set, id)
redis.call('DEL', base .. RUN .. id)
return 1
