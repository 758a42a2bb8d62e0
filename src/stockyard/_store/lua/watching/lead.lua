--- Makes the caller the one who watches, or keeps it so, and gives it what the last one knew.
-- keys:
-- args: base token ttl
-- returns: nothing when somebody else watches; else the incidents and the silences, each as a flat list of a hash, and
--   which of the two is no hash
local leader = base .. 'leader'
local held = redis.pcall('GET', leader)
-- What another program left there has no end, or is no text; nobody would ever watch again.
if type(held) == 'string' and held ~= token and redis.call('PTTL', leader) >= 0 then return false end
-- A script whose first write takes no memory may write on: a server that is full must still be watched.
redis.call('DEL', leader)
redis.call('SET', leader, token, 'PX', ttl)

local broken = {}
local function all_of(name)
  local found = redis.pcall('HGETALL', base .. name)
  if not found.err then return found end
  broken[#broken + 1] = name
  return {}
end

return {all_of('incidents'), all_of('silences'), broken}
