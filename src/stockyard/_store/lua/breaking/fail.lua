--- Counts a run that failed; the last of too many opens the queue's circuit breaker, a failed trial leaves it open.
-- needs: breaker_changes halting
-- keys: wait prioritized delayed paused meta events marker halts breaker breaker_failures halts_audit
-- args: id starts now failure
-- returns: 0 while it is closed, 1 while it is open, 2 when this has opened it, 3 when this was a trial
local news = cmsgpack.unpack(failure)
-- A write that takes no memory: a full server refuses nothing after it.
redis.call('HDEL', breaker, '')
local time = tonumber(now)
local open, trial = unpack(redis.call('HMGET', breaker, 'open', 'trial'))
if open then
  if trial ~= id then return 1 end
  redis.call('HDEL', breaker, 'trial')
  redis.call('HSET', breaker, 'until', string.format('%.0f', time + news.reset))
  note_breaker(keys, 'trial failed', news.queue, news.reason)
  return 3
end
for _, old in ipairs(redis.call('ZRANGEBYSCORE', breaker_failures, '-inf', string.format('%.0f', time - news.within))) do
  redis.call('ZREM', breaker_failures, old)
end
redis.call('ZADD', breaker_failures, now, id .. ':' .. starts)
redis.call('PEXPIRE', breaker_failures, news.within)
if redis.call('ZCARD', breaker_failures) < news.failures then return 0 end
redis.call('DEL', breaker_failures)
redis.call('HSET', breaker, 'open', news.halt, 'until', string.format('%.0f', time + news.reset))
follow_halts(keys, 1)
note_breaker(keys, 'open', news.queue, news.reason)
return 2
