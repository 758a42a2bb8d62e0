--- Finds the jobs that were started under a token whose reply never arrived.
-- parts: rows
-- keys: active
-- args: base token
-- returns: rows of those jobs, as the start gives them
local rows = {}
for _, id in ipairs(redis.call('LRANGE', active, 0, -1)) do
  local job = base .. id
  if redis.call('GET', job .. ':lock') == token then
    local row = read_row(job)
    row[15] = id
    rows[#rows + 1] = row
  end
end
return rows
