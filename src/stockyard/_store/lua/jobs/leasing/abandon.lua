--- Hands back the jobs of a process that is known to be dead, without waiting for its leases.
-- needs: events markers stalls
-- choices: [yielding]
-- keys: active wait stalled meta events marker repeat_set unread effects_unknown effects_settled
-- args: base holder passed max_stalled at_most_once
-- returns: the ids handed back, how many active jobs were passed by, and 1 when there are more to look at
-- Only jobs whose lock begins with `holder` are touched. A call looks at PAGE jobs from the oldest end of the list.
local PAGE = 1000
passed = tonumber(passed)
local page = redis.call('LRANGE', active, -(passed + PAGE), -(passed + 1))
local returned = {}
for at = #page, 1, -1 do
  local id = page[at]
  local lock = base .. id .. LOCK
  local token = redis.call('GET', lock)
  if token and string.sub(token, 1, #holder) == holder then
    redis.call('DEL', lock)
    redis.call('SREM', stalled, id)
    if return_stalled(keys, base, id, max_stalled, at_most_once) then
      returned[#returned + 1] = id
    end
  else
    passed = passed + 1
  end
end
if #returned > 0 then
  -- only yielding:
  local time = redis.call('TIME')
  yield_to_newer(keys, base, returned, time[1] * 1000 + math.floor(time[2] / 1000))
  -- end yielding
  trim(events, stream_cap(meta))
  wake(keys)
end
return {returned, passed, #page == PAGE and 1 or 0}
