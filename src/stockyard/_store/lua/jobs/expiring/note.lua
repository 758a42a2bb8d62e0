--- Counts and announces jobs that have expired, each once, before they end; those of another worker are passed over.
-- needs: events
-- keys: stalled meta events counts
-- args: base leases
-- returns: how many there were
-- A full server refuses nothing more to a script that has written.
redis.call('SREM', stalled, '')
local cap, number = stream_cap(meta), 0
local pairs_of = cmsgpack.unpack(leases)
for at = 1, #pairs_of, 2 do
  local id = pairs_of[at]
  local job = base .. id
  if redis.call('GET', job .. LOCK) == pairs_of[at + 1] and redis.call('EXISTS', job) == 1
    and redis.call('HSET', job, 'stockyard.expired', 1) == 1 then
    redis.call('XADD', events, 'MAXLEN', '~', cap, '*', 'event', 'expired', 'jobId', id)
    number = number + 1
  end
end
if number > 0 then redis.call('HINCRBY', counts, 'expired', number) end
return number
