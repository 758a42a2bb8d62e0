--- Takes one job, within the limits of an exchange, as the trial of an open circuit breaker, once its time has come.
-- needs: breaker_trials limit_taking
-- gates: concurrency [rate] window
-- keys: wait prioritized delayed active meta events marker priority_counter limiter unread stalled lines halts breaker
-- args: base now request
-- returns: ms until the next look; and as `finishing.finish` of a call that ends no run
local wanted = cmsgpack.unpack(request)
local time = now ~= '' and tonumber(now) * 1000 or nil
if not time then
  local clock = redis.call('TIME')
  time = clock[1] * 1000000 + clock[2] + wanted.clock_offset * 1000
end
local moment = math.floor(time / 1000)
local left = wait_for_trial(keys, base, moment)
if left ~= 0 then return {left, {{}, {}, {}, 0, 0, string.format('%.0f', moment), 0, 0}} end
-- A full server refuses nothing more to a script that has written.
redis.call('SREM', stalled, '')
local taken = take_admitted(keys, base, time, wanted)
local id = taken[3][1]
if id then redis.call('HSET', breaker, 'trial', id) end
return {NEXT_LOOK, taken}
