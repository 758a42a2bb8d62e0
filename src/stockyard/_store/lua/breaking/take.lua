--- Takes one job as the trial of an open circuit breaker, once its time has come.
-- needs: breaker_trials taking
-- gates: concurrency [rate] window
-- keys: wait prioritized delayed active meta events marker priority_counter limiter unread stalled halts breaker
-- args: base now request
-- returns: ms until the next look; and as `finishing.finish` of a call that ends no run
local wanted = cmsgpack.unpack(request)
if now == '' then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000) + wanted.clock_offset
end
now = tonumber(now)
local moment, left = string.format('%.0f', now), wait_for_trial(keys, base, now)
if left ~= 0 then return {left, {{}, {}, {}, 0, 0, moment, 0, 0}} end
-- A full server refuses nothing more to a script that has written.
redis.call('SREM', stalled, '')
local rows, ids, _, _, _, is_much, has_more = take(keys, base, now, moment, wanted)
if ids[1] then redis.call('HSET', breaker, 'trial', ids[1]) end
return {NEXT_LOOK, {{}, rows, ids, 0, 0, moment, is_much and 1 or 0, has_more and 1 or 0}}
