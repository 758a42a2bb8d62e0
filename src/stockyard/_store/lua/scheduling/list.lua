--- Reads schedules in the order in which they come next, or one of them; changes nothing.
-- keys: repeat_set
-- args: base first last only
-- returns: per schedule its id, the time of its next run, that run's options if it exists, and the record's fields
local found = only == '' and redis.call('ZRANGE', repeat_set, first, last, 'WITHSCORES')
  or {only, redis.call('ZSCORE', repeat_set, only) or nil}
local rows = {}
for at = 1, #found - 1, 2 do
  local id, due = found[at], string.format('%.0f', found[at + 1])
  local fields = redis.pcall('HMGET', base .. 'repeat:' .. id, 'name', 'every', 'pattern', 'tz', 'offset', 'limit',
    'startDate', 'endDate', 'ic', 'data', 'opts', 'misfire', 'overlap')
  rows[#rows + 1] = {
    id, due, redis.call('HGET', base .. 'repeat:' .. id .. ':' .. due, 'opts'), fields.err and {} or fields,
  }
end
return rows
