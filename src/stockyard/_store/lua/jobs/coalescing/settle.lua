--- Lets one job of each coalescing key wait, where a job that ran has come to wait again; forgets keys without jobs.
-- needs: coalesced_jobs counts yielding
-- keys: active stalled events
-- args: base now ids by_hand
-- returns: how many payloads were replaced, whether more keys are due, how many of the jobs run
-- With ids, it looks at the keys of these jobs; without, at those that are due. One that is retried by hand yields to
-- what waits or runs, and not to what has ended since.
local AT_ONCE = 100
local batch = {base = base, keys = keys, counted = {}}
local time = now ~= '' and tonumber(now) or nil
if not time then
  local clock = redis.call('TIME')
  time = clock[1] * 1000 + math.floor(clock[2] / 1000)
end

-- A full server refuses nothing more to a script that has written.
redis.call('SREM', stalled, '')

local names, running = {}, 0
if ids == '' then
  names = redis.call('ZRANGEBYSCORE', base .. COALESCED_DUE, '-inf', time, 'LIMIT', 0, AT_ONCE)
else
  for _, id in ipairs(cmsgpack.unpack(ids)) do
    if redis.call('LPOS', active, id) then running = running + 1 end
    local key = coalescing_key_of(base, id)
    if key then
      local of_key = base .. COALESCED .. key
      if by_hand == '1' then
        redis.call('ZREM', of_key, id)
        look_at(batch, key)
      end
      put_first(of_key, id)
      names[#names + 1] = key
    end
  end
end
for _, name in ipairs(names) do settle_key(batch, name, time) end
write_counts(base, batch.counted)
return {batch.counted.replaced or 0, ids == '' and #names == AT_ONCE and 1 or 0, running}
