--- Lets one job of each coalescing key wait, where a job that ran has come to wait again; forgets keys without jobs.
-- needs: coalesced_jobs counts decoding
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
    local options = redis.pcall('HGET', base .. id, 'opts')
    local given = type(options) == 'string' and decode_object(options).coalesce
    if type(given) == 'table' and type(given.key) == 'string' then
      if by_hand == '1' then
        redis.call('ZREM', base .. COALESCED .. given.key, id)
        look_at(batch, given.key)
      end
      put_first(base .. COALESCED .. given.key, id)
      names[#names + 1] = given.key
    end
  end
end
for _, name in ipairs(names) do
  local waits, runs, of_key = look_at(batch, name)
  if waits or runs then
    look_again(batch, name, time, runs)
  else
    redis.call('UNLINK', of_key)
    redis.call('ZREM', base .. COALESCED_DUE, name)
  end
end
write_counts(base, batch.counted)
return {batch.counted.replaced or 0, ids == '' and #names == AT_ONCE and 1 or 0, running}
