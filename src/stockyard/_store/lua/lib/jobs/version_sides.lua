-- Lines of jobs that wait aside by their payload version: of any worker, of the canary's, and of all others'.

local CANARY, STABLE = ':canary', ':stable'

-- The line of a version, as text, or that of one side of it.
local function line_of(base, version, side)
  return base .. VERSION_LINE .. version .. (side or '')
end

-- How many jobs of each version wait in lines for their limits, whose names begin with their version, as in `v2|` or
-- `v1:canary|`.
local function count_in_limit_lines(base, lines)
  local numbers = {}
  for _, line in ipairs(redis.call('ZRANGE', lines, 0, 999)) do
    local version = string.match(line, '^v(%d+)[:|]')
    if version then numbers[version] = (numbers[version] or 0) + redis.call('ZCARD', base .. LINE .. line) end
  end
  return numbers
end

-- How many jobs of a version wait aside.
local function count_aside(base, version)
  return redis.call('ZCARD', line_of(base, version)) + redis.call('ZCARD', line_of(base, version, CANARY))
    + redis.call('ZCARD', line_of(base, version, STABLE))
end
