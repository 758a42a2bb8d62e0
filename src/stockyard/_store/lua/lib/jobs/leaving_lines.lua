-- Takes a delayed job out of the lines that would start it before it is due.
-- needs: canary version_sides

-- Lines of limits that one call looks through.
local MOST_LIMIT_LINES = 1000

local function leave_lines(base, lines, id)
  local number = string.format('%.0f', (version_and_key(base .. id)))
  for _, side in ipairs({'', CANARY, STABLE}) do
    local members = line_of(base, number, side)
    if redis.call('ZREM', members, id) == 1 then return end
  end
  for _, line in ipairs(redis.call('ZRANGE', lines, 0, MOST_LIMIT_LINES - 1)) do
    local members = base .. LINE .. line
    if redis.call('ZREM', members, id) == 1 then return end
  end
end
