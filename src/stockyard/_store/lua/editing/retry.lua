--- Puts a finished job back to where it waits.
-- parts: decoding events markers placing
-- keys: wait prioritized active completed failed meta events marker priority_counter
-- args: job id
-- returns: 0, -1 when the job does not exist, -3 when it is not finished
if redis.call('EXISTS', job) == 0 then return -1 end
local state, result = 'failed', 'failedReason'
if redis.call('ZREM', failed, id) == 0 then
  state, result = 'completed', 'returnvalue'
  if redis.call('ZREM', completed, id) == 0 then return -3 end
end
local fields = redis.call('HMGET', job, 'priority', 'opts', 'parentKey')
redis.call('HDEL', job, 'finishedOn', 'processedOn', result)
make_ready(wait, prioritized, priority_counter, id, tonumber(fields[1]) or 0, decode_object(fields[2]).lifo)
if not is_blocked(meta, active) then ring(marker) end
local parent = fields[3]
if parent and redis.call('EXISTS', parent) == 1 then
  local gone
  if state == 'failed' then
    gone = redis.call('ZREM', parent .. ':unsuccessful', job) + redis.call('HDEL', parent .. ':failed', job)
  else
    gone = redis.call('HDEL', parent .. ':processed', job)
  end
  if gone > 0 then redis.call('SADD', parent .. ':dependencies', job) end
end
redis.call('XADD', events, 'MAXLEN', '~', stream_cap(meta), '*', 'event', 'waiting', 'jobId', id, 'prev', state)
return 0
