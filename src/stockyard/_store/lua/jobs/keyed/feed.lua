--- Looks at jobs that may have stood for their keys, and lets the next of those keys out of their lines.
-- needs: enqueue key_heads
-- keys: wait prioritized delayed active completed failed meta events marker priority_counter stalled keys_heads
--   keys_holders keys_parked keys_lines keys_waiting
-- args: base now rule ids
-- returns: 0
-- A full server refuses nothing more to a script that has written: what ends must let the next go on.
redis.call('SREM', stalled, '')
now = tonumber(now)

-- The server keeps a small hash as a list, which it searches from its beginning; one that has held a long field is a
-- table from then on.
local function make_table(hash)
  local number, long = redis.call('HLEN', hash), string.rep('-', 65)
  if number > 64 and number <= 512 and redis.call('HEXISTS', hash, long) == 0 then
    redis.call('HSET', hash, long, '')
    redis.call('HDEL', hash, long)
  end
end
make_table(keys_heads)
make_table(keys_holders)

local declared, looked_at, woken = cmsgpack.unpack(rule), cmsgpack.unpack(ids), {}
local key_of = redis.call('HMGET', keys_heads, unpack(looked_at))
for at, id in ipairs(looked_at) do
  if key_of[at] then look_at_head(keys, base, id, key_of[at], now, declared, woken) end
end
wake_workers(keys, woken.ready, woken.delayed)
return 0
