-- A job's fields in the order that callers read them.

-- What is no record answers with an error, in `err`: one odd key must not stop the call.
local function read_row(job, ...)
  return redis.pcall('HMGET', job, 'name', 'data', 'opts', 'timestamp', 'priority', 'delay', 'atm', 'ats', 'stc',
    'progress', 'failedReason', 'stacktrace', 'parentKey', 'defa', ...)
end
