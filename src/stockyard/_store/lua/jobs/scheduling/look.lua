--- Finds schedules whose next run is missing for the second time in a row; once per interval over all workers.
-- needs: ended_schedules
-- keys: repeat_set completed failed schedule_check stalled
-- args: base now interval first
-- returns: where to go on or AT_END, and the ids of those schedules
local PAGE, AT_END = 500, -1
-- A full server refuses nothing more to a script that has written: schedules are repaired there, too.
redis.call('SREM', stalled, '')
first = tonumber(first)
if first == 0 and (redis.call('EXISTS', repeat_set) == 0
  or redis.call('SET', schedule_check, now, 'PX', interval, 'NX') == false) then
  return {AT_END, {}}
end

local members = redis.call('ZRANGE', repeat_set, first, first + PAGE - 1, 'WITHSCORES')
local missing = {}
for at = 1, #members, 2 do
  local id, due = members[at], string.format('%.0f', members[at + 1])
  local run, record = RUN .. id .. ':' .. due, base .. RUN .. id
  local is_gone = redis.call('EXISTS', base .. run) == 0 or redis.call('ZSCORE', completed, run)
    or redis.call('ZSCORE', failed, run)
  if is_gone and redis.call('HEXISTS', record, 'ic') == 1 and not is_over(record, base .. run, now) then
    if redis.call('HGET', record, 'missing') == due then
      missing[#missing + 1] = id
    else
      redis.call('HSET', record, 'missing', due)
    end
  end
end
return {#members == PAGE * 2 and first + PAGE or AT_END, missing}
