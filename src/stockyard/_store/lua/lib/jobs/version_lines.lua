-- Jobs of payload versions that a worker does not understand: delayed, in a line of their version.
-- needs: decoding transitions

-- A job that was put aside comes back to wait after this, in ms, unless its line brings it before: a line may be lost.
local ASIDE = 600000

-- Entries of jobs that are gone that one call passes over in each line.
local MOST_PASSED = 500

-- A job that says nothing has version 1.
local function payload_version_of(job)
  local options = redis.pcall('HGET', job, 'opts')
  if type(options) ~= 'string' or not string.find(options, '"version"', 1, true) then return 1 end
  local version = tonumber(decode_object(options).version)
  return version and version >= 1 and math.floor(version) or 1
end

local function line_of(base, version)
  return base .. VERSION_LINE .. string.format('%.0f', version)
end

-- Puts a job behind those of its version.
local function put_aside(keys, base, id, now, version)
  local members = line_of(base, version)
  to_delayed(keys, id, now, ASIDE)
  if not redis.call('ZSCORE', members, id) then
    local last = redis.call('ZRANGE', members, -1, -1, 'WITHSCORES')
    redis.call('ZADD', members, (tonumber(last[2]) or 0) + 1, id)
  end
  local number = string.format('%.0f', version)
  if redis.call('HEXISTS', keys.versions, number) == 0 then redis.call('HSET', keys.versions, number, 0) end
  redis.call('HSET', base .. id, 'delay', ASIDE)
  redis.call('XADD', keys.events, '*', 'event', 'delayed', 'jobId', id, 'delay', now + ASIDE)
end

-- Starts the first jobs of the lines that the caller understands; `begin` starts one and returns whether another may
-- start.
local function take_aside(keys, base, versions, begin)
  for _, version in ipairs(versions) do
    local members = line_of(base, version)
    for _ = 1, MOST_PASSED do
      local id = redis.call('ZRANGE', members, 0, 0)[1]
      if not id then break end
      redis.call('ZREM', members, id)
      -- Else it was removed, or is ready by another's hand.
      if out_of_delayed(keys, id) then
        redis.call('HSET', base .. id, 'delay', 0)
        if not begin(id) then return end
      end
    end
  end
end

-- Notes which versions a worker that asks for jobs understands.
local function note_understood(keys, versions, moment)
  for _, version in ipairs(versions) do
    redis.call('HSET', keys.versions, string.format('%.0f', version), moment)
  end
end
