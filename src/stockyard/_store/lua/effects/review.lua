--- Looks after a queue's effects: what is overdue becomes unknown, what no job needs any more is forgotten.
-- needs: compact_effects effect_records effect_outcomes
-- keys: meta events effects_open effects_unknown effects_settled effects_compact effects_check
-- args: base now interval keep
-- returns: the time in ms; keys of unknown effects, the longest unknown first; none when another worker has looked
-- An open effect is overdue when the lock of its run is gone, or the run is not the job's last.
local AT_ONCE, LISTED = 100, 1000
-- A write that takes no memory: a full server refuses nothing after it.
redis.call('ZREM', effects_open, '')
local time = effect_time(now)
local moment = string.format('%.0f', time)
if not redis.call('SET', effects_check, moment, 'PX', interval, 'NX') then return {moment, {}} end

for _, key in ipairs(redis.call('ZRANGEBYSCORE', effects_open, '-inf', moment, 'LIMIT', 0, AT_ONCE)) do
  local effect = base .. EFFECT .. key
  local record = read_effect(keys, base, key)
  local job = base .. (record.job or '')
  if record.outcome ~= 'open' then
    redis.call('ZREM', effects_open, key)
  elseif redis.call('EXISTS', job .. LOCK) == 1 and redis.call('HGET', job, 'ats') == record.starts then
    redis.call('ZADD', effects_open, string.format('%.0f', time + interval), key)
  else
    conclude_effect(keys, effect, record, 'unknown', moment, {by = 'review', reason = 'its worker said no more of it'})
  end
end
write_files(keys)

local kept_since = string.format('%.0f', time - keep)
for _, key in ipairs(redis.call('ZRANGEBYSCORE', effects_settled, '-inf', kept_since, 'LIMIT', 0, AT_ONCE)) do
  local text = redis.call('HGET', effects_compact, key)
  local job = text and job_of(text) or redis.call('HGET', base .. EFFECT .. key, 'job')
  if job and redis.call('EXISTS', base .. job) == 1 then
    redis.call('ZADD', effects_settled, moment, key)
  else
    redis.call('HDEL', effects_compact, key)
    redis.call('UNLINK', base .. EFFECT .. key)
    redis.call('ZREM', effects_settled, key)
  end
end
return {moment, redis.call('ZRANGE', effects_unknown, 0, LISTED - 1)}
