-- Jobs that an add found in place of the given ones, as readers get them.
-- needs: rows

-- Bytes of stored payloads that one call returns; what goes beyond is read job by job.
local READ_AT_ONCE = 4194304
local bytes_left = READ_AT_ONCE

-- Returns the row of a job; its id alone when the caller is to read it; the id and 0 when there is no record.
local function found(base, id)
  local job = base .. id
  if redis.call('EXISTS', job) == 0 then return {id, 0} end
  local row = read_stored(job)
  if row.err then return {id} end
  local size = #(row[DATA_AT] or '') + #(row[RESULT_AT] or '')
  if size > bytes_left then return {id} end
  bytes_left = bytes_left - size
  row[STORED_ID_AT] = id
  return row
end
