-- Divides the jobs of older payload versions between a new release, the canary, and all others.
-- needs: decoding version_sides

-- A side of which no worker has asked for so long, in ms, has no workers: the other one does its jobs.
local SILENT = 60000

-- The version of a job, 1 where it names none, and the key that orders it.
local function version_and_key(job)
  local options = redis.pcall('HGET', job, 'opts')
  if type(options) ~= 'string' then return 1 end
  local is_keyed = string.find(options, '"key"', 1, true)
  if not is_keyed and not string.find(options, '"version"', 1, true) then return 1 end
  local read = decode_object(options)
  local version = tonumber(read.version)
  local key = type(read.key) == 'string' and read.key or nil
  return version and version >= 1 and math.floor(version) or 1, key
end

-- The side of a worker, or nothing where no canary is set: `version` of the canary, its `share`, the worker's `side`,
-- and whether it `takes_all`.
local function division_of(keys, release, now)
  local version, share = unpack(redis.call('HMGET', keys.releases, 'canary', 'share'))
  version, share = tonumber(version), tonumber(share)
  if not version or not share then return nil end
  local is_canary, seen, others = release == version, redis.call('HGETALL', keys.releases), 0
  for at = 1, #seen, 2 do
    local other = tonumber(string.match(seen[at], '^release:(%d+)$'))
    if other and (other == version) ~= is_canary then others = math.max(others, tonumber(seen[at + 1]) or 0) end
  end
  return {
    version = version, share = share, side = is_canary and CANARY or STABLE, takes_all = now - others > SILENT,
  }
end

-- Whether a worker of that division that understands these versions runs a job; the side of the job, if it has one; and
-- whether that is the worker's. Jobs of one key are of one side, and with a larger share none leaves the canary. Each
-- canary draws again, so that not the same keys are the first in every release.
local function runs(division, understood, version, key, id)
  local side
  if division and version < division.version then
    local drawn = redis.sha1hex(string.format('%.0f', division.version) .. ':' .. (key or id))
    side = tonumber(string.sub(drawn, 1, 8), 16) < division.share * 4294967296 and CANARY or STABLE
  end
  local is_ours = not side or side == division.side or division.takes_all
  return understood[version] and is_ours, side, is_ours
end

-- Whether a job is to fail at its next start, as one that was cancelled: any worker may end it.
local function only_fails(job)
  return redis.pcall('HEXISTS', job, 'defa') == 1
end

-- Jobs of the larger side that workers of the smaller one put aside.
local MOST_OF_LARGER = 200

-- How many more those may be; nothing for a worker of the larger side.
local function room_of_larger(base, versions, division)
  local is_canary = division.side == CANARY
  if (division.share < 0.5) ~= is_canary then return nil end
  local room = MOST_OF_LARGER
  for _, version in ipairs(versions) do
    room = room - redis.call('ZCARD', line_of(base, string.format('%.0f', version), is_canary and STABLE or CANARY))
  end
  return room
end
