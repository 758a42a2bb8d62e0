-- Jobs of payload versions that a worker does not run: delayed, in a line of their version.
-- needs: scores transitions version_sides

-- A job that was put aside comes back to wait after this, in ms, unless its line brings it before: a line may be lost.
local ASIDE = 600000

-- Entries that one call looks at in each line, those of jobs that are gone included.
local MOST_PASSED = 500

-- Puts a job behind those of its version, side and priority.
local function put_aside(keys, base, id, now, version, side)
  local number = string.format('%.0f', version)
  local members = line_of(base, number, side)
  to_delayed(keys, id, now, ASIDE)
  if not redis.call('ZSCORE', members, id) then
    local first = (tonumber(redis.call('HGET', base .. id, 'priority')) or 0) * PRIORITY_STEP
    local last = redis.call('ZREVRANGEBYSCORE', members, '(' .. string.format('%.0f', first + PRIORITY_STEP),
      string.format('%.0f', first), 'WITHSCORES', 'LIMIT', 0, 1)
    redis.call('ZADD', members, string.format('%.0f', (tonumber(last[2]) or first) + 1), id)
  end
  if redis.call('HEXISTS', keys.versions, number) == 0 then redis.call('HSET', keys.versions, number, 0) end
  redis.call('HSET', base .. id, 'delay', ASIDE)
  redis.call('XADD', keys.events, '*', 'event', 'delayed', 'jobId', id, 'delay', now + ASIDE)
end

-- The lines that a worker takes from.
local function lines_for(base, versions, division)
  local lines = {}
  for _, version in ipairs(versions) do
    local number = string.format('%.0f', version)
    lines[#lines + 1] = line_of(base, number)
    if division and version < division.version then
      for _, side in ipairs(division.takes_all and {CANARY, STABLE} or {division.side}) do
        lines[#lines + 1] = line_of(base, number, side)
      end
    end
  end
  return lines
end

-- Starts the first jobs of lines, where `admits` does not put them into another one; `begin` starts one and returns
-- whether another may start.
local function take_aside(keys, base, lines, begin, admits)
  for _, members in ipairs(lines) do
    for _ = 1, MOST_PASSED do
      local id = redis.call('ZRANGE', members, 0, 0)[1]
      if not id then break end
      redis.call('ZREM', members, id)
      -- Else it was removed, or is ready by another's hand.
      if out_of_delayed(keys, id) and admits(id) then
        redis.call('HSET', base .. id, 'delay', 0)
        if not begin(id) then return end
      end
    end
  end
end

-- Notes which versions a worker that asks for jobs understands, its release, and of which versions it has moved jobs.
local function note_asked(keys, request, moved, moment)
  for _, version in ipairs(request.versions) do
    redis.call('HSET', keys.versions, string.format('%.0f', version), moment)
  end
  local fields = {'release:' .. string.format('%.0f', request.release), moment}
  for version in pairs(moved) do
    fields[#fields + 1], fields[#fields + 2] = 'moved:' .. string.format('%.0f', version), moment
  end
  redis.call('HSET', keys.releases, unpack(fields))
end
