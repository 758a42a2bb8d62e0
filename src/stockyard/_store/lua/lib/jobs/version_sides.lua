-- Lines of jobs that wait aside by their payload version: of any worker, of the canary's, and of all others'.

local CANARY, STABLE = ':canary', ':stable'

-- The line of a version, as text, or that of one side of it.
local function line_of(base, version, side)
  return base .. VERSION_LINE .. version .. (side or '')
end

-- How many jobs of a version wait aside.
local function count_aside(base, version)
  return redis.call('ZCARD', line_of(base, version)) + redis.call('ZCARD', line_of(base, version, CANARY))
    + redis.call('ZCARD', line_of(base, version, STABLE))
end
