--- Lets a parked key go on with its next job; the failed one stays failed.
-- needs: enqueue key_lines
-- keys: wait prioritized delayed active meta events marker priority_counter stalled keys_heads keys_holders keys_parked
--   keys_lines keys_waiting
-- args: base now rule key
-- returns: the id of the failed job, or WRONG_STATE when the key is not parked
-- A full server refuses nothing more to a script that has written.
redis.call('SREM', stalled, '')
local id = redis.call('HGET', keys_parked, key)
if not id then return WRONG_STATE end
local woken = {}
redis.call('HDEL', keys_parked, key)
fill_places(keys, base, key, stand_down(keys, id, key), tonumber(now), cmsgpack.unpack(rule), woken)
announce_key(keys, id, key, 'resumed')
wake_workers(keys, woken.ready, woken.delayed)
return id
