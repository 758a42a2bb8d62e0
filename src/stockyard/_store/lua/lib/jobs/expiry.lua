-- Whether a job may not start any more, as workers find it by its options.
-- needs: decoding

local function whole_of(value)
  return type(value) == 'number' and value >= 0 and math.floor(value) or nil
end

-- A job that has expired and waits again would be dropped by the worker that takes it, unless it has begun an effect.
local function has_expired(job, now)
  local fields = redis.pcall('HMGET', job, 'opts', 'timestamp', BEGUN_EFFECT)
  local options = not fields.err and fields[1]
  if fields[3] or not options or not string.find(options, '"expires', 1, true) then return false end
  local given = decode_object(options)
  local length, moment = whole_of(given.expiresIn), whole_of(given.expiresAt)
  if not length then return moment and tonumber(now) >= moment end
  local from = type(given.coalesce) == 'table' and whole_of(given.coalesce.renewed) or tonumber(fields[2]) or 0
  return tonumber(now) >= from + (tonumber(given.delay) or 0) + length
end
