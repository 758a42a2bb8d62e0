--- Reads schedules in the order in which they come next, or one of them; changes nothing.
-- needs: schedule_rows
-- keys: completed failed repeat_set
-- args: base first last only now
-- returns: per schedule its id, the time of its next run, that run's options if it exists, the record's fields, and 1
--          when that run is still to come
local found = only == '' and redis.call('ZRANGE', repeat_set, first, last, 'WITHSCORES')
  or {only, redis.call('ZSCORE', repeat_set, only) or nil}
local rows = {}
for at = 1, #found - 1, 2 do
  rows[#rows + 1] = schedule_row(keys, base, found[at], string.format('%.0f', found[at + 1]), tonumber(now))
end
return rows
