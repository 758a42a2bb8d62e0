--- Hands back the jobs whose worker let their lease run out, and marks the running ones for the next look.
-- parts: events markers
-- keys: stalled stalled_check wait active meta events marker repeat_set
-- args: base now interval max_stalled
-- returns: the ids handed back
-- A full server refuses nothing more to a script that has written: jobs of the dead go on, and end.
redis.call('SREM', stalled, '')
if redis.call('SET', stalled_check, now, 'PX', interval, 'NX') == false then return {} end
-- A server that evicts may take the check right after a look, before those who hold the marked jobs could renew.
local time = redis.call('TIME')
local moment = time[1] * 1000 + math.floor(time[2] / 1000)
local since = moment - (tonumber(redis.call('HGET', meta, 'swept')) or 0)
-- The check expires by a coarser clock than TIME: some milliseconds early are no reason to wait for another interval.
if since >= 0 and since < 0.9 * interval then return {} end
redis.call('HSET', meta, 'swept', string.format('%.0f', moment))
local cap = stream_cap(meta)
trim(events, cap)

-- A run of a live schedule is never given up: its schedule would end with it.
local function is_scheduled(job)
  local schedule = redis.call('HGET', job, 'rjk')
  return schedule and (redis.call('EXISTS', base .. 'repeat:' .. schedule) == 1
    or redis.call('ZSCORE', repeat_set, schedule))
end

local suspects = redis.call('SMEMBERS', stalled)
redis.call('DEL', stalled)
local recovered = {}
for _, id in ipairs(suspects) do
  local job = base .. id
  if redis.call('EXISTS', job .. ':lock') == 0 and redis.call('LREM', active, 1, id) > 0 then
    if redis.call('EXISTS', job) == 1 then
      local times = redis.call('HINCRBY', job, 'stc', 1)
      if times > tonumber(max_stalled) and not is_scheduled(job) then
        redis.call('HSET', job, 'defa', 'job stalled more than allowable limit')
      end
      redis.call('RPUSH', wait, id)
      redis.call('XADD', events, '*', 'event', 'waiting', 'jobId', id, 'prev', 'active')
      redis.call('XADD', events, '*', 'event', 'stalled', 'jobId', id)
      recovered[#recovered + 1] = id
    end
  end
end
if #recovered > 0 and not is_blocked(meta, active) then ring(marker) end
local running = redis.call('LRANGE', active, 0, -1)
for at = 1, #running, 5000 do
  redis.call('SADD', stalled, unpack(running, at, math.min(at + 4999, #running)))
end
return recovered
