--- Ends the trial of a queue's circuit breaker: closes it, or lets another trial follow one that proved nothing.
-- needs: breaker_changes halting
-- keys: wait prioritized delayed paused meta events marker halts breaker halts_audit
-- args: id closes queue reason room
-- returns: how many jobs are still set aside by a BullMQ 5: until there are none, the queue stays paused
redis.call('HDEL', breaker, '')
local open, trial = unpack(redis.call('HMGET', breaker, 'open', 'trial'))
-- Without an id a person closes it by hand.
if open and (id == '' or trial == id) then
  if closes == '1' then
    redis.call('DEL', breaker)
    note_breaker(keys, 'close', queue, reason)
  else
    redis.call('HDEL', breaker, 'trial')
  end
elseif id ~= '' then
  return 0
end
return follow_halts(keys, room)
