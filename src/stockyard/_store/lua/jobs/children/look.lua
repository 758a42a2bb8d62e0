--- Reads jobs and the keys of their children, at most so many of each job.
-- needs: rows
-- keys: home
-- args: jobs limit
-- returns: for each job its fields with the id last, and the keys; or nothing when it does not exist
limit = tonumber(limit)

-- Of a set that has shrunk, many pages may be empty.
local MOST_PAGES = 50

local function scan(found, command, key, step)
  local cursor, pages = '0', 0
  while #found < limit and pages < MOST_PAGES do
    local reply = redis.call(command, key, cursor, 'COUNT', math.max(20, math.min(100, limit)))
    cursor, pages = reply[1], pages + 1
    for at = 1, #reply[2], step do found[#found + 1] = reply[2][at] end
    if cursor == '0' then break end
  end
end

local function children_of(job)
  local found = {}
  scan(found, 'HSCAN', job .. PROCESSED, 2)
  scan(found, 'SSCAN', job .. DEPENDENCIES, 1)
  for _, child in ipairs(redis.call('ZRANGE', job .. UNSUCCESSFUL, 0, limit - 1)) do found[#found + 1] = child end
  scan(found, 'HSCAN', job .. IGNORED, 2)
  return {unpack(found, 1, math.min(#found, limit))}
end

local seen = {}
for index, job in ipairs(cmsgpack.unpack(jobs)) do
  local row = read_stored(job)
  seen[index] = false
  if not row.err and (row[NAME_AT] or redis.call('EXISTS', job) == 1) then
    row[STORED_ID_AT] = job:match('[^:]*$')
    seen[index] = {row, children_of(job)}
  end
end
return seen
