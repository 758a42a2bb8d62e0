--- Makes the caller the leader, or keeps it so, and gives it what the last one stored.
-- keys: home
-- args: base token ttl
-- returns: nothing when another process leads; else the incidents and the silences, each as a flat list of a hash, and
--   which of the two is no hash
local leader = base .. 'leader'
local held = redis.pcall('GET', leader)
-- What another program left there has no end, or is no text; no process would ever lead again.
if type(held) == 'string' and held ~= token and redis.call('PTTL', leader) >= 0 then return false end
-- A script whose first write takes no memory may write on: a server that is full must still be monitored.
redis.call('DEL', leader)
redis.call('SET', leader, token, 'PX', ttl)

local broken = {}
local function all_of(name)
  local hash = redis.pcall('HGETALL', base .. name)
  if not hash.err then return hash end
  broken[#broken + 1] = name
  return {}
end

return {all_of('incidents'), all_of('silences'), broken}
