--- Hands back the jobs whose worker let their lease run out, and marks the running ones for the next look.
-- needs: events markers stalls
-- choices: [yielding]
-- keys: stalled stalled_check wait active meta events marker repeat_set unread effects_unknown effects_settled
-- args: base now interval max_stalled stage passed look at_most_once
-- returns: the ids that lost their worker, the stage that goes on or '', how many active jobs that passed by, and the look's name
-- One look is several short calls, so that a thousand dead workers do not hold up the server: `recover` walks the
-- active list from its oldest end, `mark` walks it once more. Both are linear in it: each part of `recover` ends after
-- ROOM jobs, or when it has compared about COMPARED entries to take jobs out from behind the `passed` that stay.
local PAGE, ROOM, COMPARED, MARKED = 1000, 100, 100000, 4000

-- A full server refuses nothing more to a script that has written: jobs of the dead go on, and end.
redis.call('SREM', stalled, '')
local swept = redis.call('HGET', meta, 'swept')
if stage == 'first' then
  local time = redis.call('TIME')
  local moment = time[1] * 1000 + math.floor(time[2] / 1000)
  if redis.call('SET', stalled_check, now, 'PX', interval, 'NX') == false then return {{}, '', 0, ''} end
  -- A server that evicts may take the check right after a look, before those who hold the marked jobs could renew.
  -- The check expires by a coarser clock than TIME: some milliseconds early are no reason to wait for another interval.
  local since = moment - (tonumber(swept) or 0)
  if since >= 0 and since < 0.9 * interval then return {{}, '', 0, ''} end
  stage, look = 'recover', string.format('%.0f', moment)
  redis.call('HSET', meta, 'swept', look)
elseif swept ~= look then
  -- Another worker has begun a look since: these marks are its own.
  return {{}, '', 0, ''}
end
passed = tonumber(passed)
local cap = stream_cap(meta)

local recovered, any_ready = {}, false
-- only yielding:
local returned = {}
-- end yielding

if stage == 'recover' then
  trim(events, cap)
  local page = redis.call('LRANGE', active, -(passed + PAGE), -(passed + 1))
  local is_marked = #page > 0 and redis.call('SMISMEMBER', stalled, unpack(page)) or {}
  local room, is_last, seen = ROOM, #page < PAGE, #page + 1
  for at = #page, 1, -1 do
    local id = page[at]
    seen = at
    if is_marked[at] == 1 and redis.call('EXISTS', base .. id .. LOCK) == 0 then
      local is_back, is_stall = return_stalled(keys, base, id, max_stalled, at_most_once)
      any_ready = any_ready or is_back
      -- only yielding:
      if is_back then returned[#returned + 1] = id end
      -- end yielding
      if is_stall then recovered[#recovered + 1] = id end
      room = room - 1 - ROOM * passed / COMPARED
      if room <= 0 and at > 1 then
        is_last = false
        break
      end
    else
      passed = passed + 1
    end
  end
  if seen <= #page then redis.call('SREM', stalled, unpack(page, seen, #page)) end
  -- only yielding:
  yield_to_newer(keys, base, returned, tonumber(now))
  -- end yielding
  if any_ready then wake(keys) end
  if not is_last then return {recovered, stage, passed, look} end
  -- What is still marked is not active any more.
  redis.call('DEL', stalled)
  stage, passed = 'mark', 0
end

local running = redis.call('LRANGE', active, -(passed + MARKED), -(passed + 1))
if #running > 0 then redis.call('SADD', stalled, unpack(running)) end
passed = passed + #running
return {recovered, #running == MARKED and stage or '', passed, look}
