--- Makes the caller the one who watches, or keeps it so, and gives it what the last one knew.
-- keys:
-- args: base token ttl
-- returns: nothing when somebody else watches; else the incidents and the silences, each as a flat list of a hash
local leader = base .. 'leader'
local held = redis.call('GET', leader)
if held and held ~= token then return false end
-- A script whose first write takes no memory may write on: a server that is full must still be watched.
redis.call('DEL', leader)
redis.call('SET', leader, token, 'PX', ttl)
return {redis.call('HGETALL', base .. 'incidents'), redis.call('HGETALL', base .. 'silences')}
