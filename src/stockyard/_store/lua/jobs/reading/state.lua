--- Says where a job is, and how it ended if it did.
-- needs: states
-- keys: wait prioritized delayed active completed failed paused waiting_children events
-- args: job id
-- returns: the state, whether the record exists, the result as JSON, the failure's reason, id of the last event then
local state = state_of(keys, id)
local fields = redis.call('HMGET', job, 'returnvalue', 'failedReason', 'stockyard.key')
-- In no place of BullMQ: it may wait in the line of its key.
if state == 'unknown' and fields[3]
  and redis.call('ZSCORE', string.sub(job, 1, #job - #id) .. KEY_LINE .. fields[3], id) then
  state = 'waiting'
end
local last = redis.pcall('XREVRANGE', events, '+', '-', 'COUNT', 1)
return {state, redis.call('EXISTS', job), fields[1], fields[2], last[1] and last[1][1] or '0-0'}
