--- Removes a job that no worker is running: its place, its record, its tie to a parent.
-- parts: decoding events markers placing removing parents states
-- keys: wait prioritized delayed active completed failed paused waiting_children meta events repeat_set
-- args: base id now
-- returns: 1 removed, 0 when a worker holds it, -1 when there is no such job, -8 for a schedule's pending run
local job = base .. id
local schedule = redis.call('HGET', job, 'rjk')
if schedule then
  local due = redis.call('ZSCORE', repeat_set, schedule)
  if due and id == 'repeat:' .. schedule .. ':' .. string.format('%.0f', due) then return -8 end
end
if redis.call('EXISTS', job .. ':lock') == 1 then return 0 end
local state = state_of({
  wait = wait, prioritized = prioritized, delayed = delayed, active = active, completed = completed,
  failed = failed, paused = paused, waiting_children = waiting_children,
}, id)
local existed = redis.call('EXISTS', job) == 1
if not existed and state == 'unknown' then return -1 end
forget_child(job, job, now)
for _, list in ipairs({wait, active, paused}) do redis.call('LREM', list, 0, id) end
for _, set in ipairs({prioritized, delayed, completed, failed, waiting_children}) do
  redis.call('ZREM', set, id)
end
release_deduplication_of_removed(base, job, id)
drop(base, id)
redis.call('XADD', events, 'MAXLEN', '~', stream_cap(meta), '*', 'event', 'removed', 'jobId', id,
  'prev', state == 'waiting' and 'wait' or state)
return 1
