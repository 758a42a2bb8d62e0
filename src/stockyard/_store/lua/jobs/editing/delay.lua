--- Lets a delayed job run so long after now.
-- needs: events leaving_lines markers transitions
-- keys: delayed meta events marker lines
-- args: base job id delay now
-- returns: 0, JOB_MISSING when the job does not exist, WRONG_STATE when it is not delayed
if redis.call('EXISTS', job) == 0 then return JOB_MISSING end
if not out_of_delayed(keys, id) then return WRONG_STATE end
leave_lines(base, lines, id)
redis.call('HSET', job, 'delay', delay)
local due = to_delayed(keys, id, tonumber(now), tonumber(delay))
redis.call('XADD', events, 'MAXLEN', '~', stream_cap(meta), '*', 'event', 'delayed', 'jobId', id,
  'delay', string.format('%.0f', due))
-- The time of `expires_in` counts from when the job may start.
local options = redis.call('HGET', job, 'opts')
local length = options and string.match(options, '"expiresIn":(%d+)')
if length then
  local expiry = string.format('"expiresAt":%.0f', due + length)
  redis.call('HSET', job, 'opts', (string.gsub(options, '"expiresIn":%d+', expiry, 1)))
end
add_delay_marker(keys)
return 0
