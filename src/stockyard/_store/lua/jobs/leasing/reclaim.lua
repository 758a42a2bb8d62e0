--- Finds the jobs that were started under a token whose reply never arrived, and renews their leases.
-- needs: rows
-- keys: active
-- args: base token known duration most_bytes
-- returns: rows of those jobs, as the start gives them, but for the known ids; fewer when they are large
local rows, size, is_known = {}, 0, {}
for _, id in ipairs(cmsgpack.unpack(known)) do is_known[id] = true end
for _, id in ipairs(redis.call('LRANGE', active, 0, -1)) do
  local job = base .. id
  if redis.call('GET', job .. LOCK) == token then
    if tonumber(duration) > 0 then redis.call('PEXPIRE', job .. LOCK, duration) end
    if not is_known[id] and size < tonumber(most_bytes) then
      local row = read_started(job)
      row[STARTED_ID_AT] = id
      rows[#rows + 1] = row
      size = size + #(row[DATA_AT] or '') + #(row[PROGRESS_AT] or '') + #(row[STACKTRACE_AT] or '')
    end
  end
end
return rows
