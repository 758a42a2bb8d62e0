--- Says how long the lines of some keys are.
-- keys: keys_lines
-- args: base first most
-- returns: keys, each with the number of jobs in its line; fewer than `most` at the end
local rows = {}
for _, key in ipairs(redis.call('ZRANGE', keys_lines, first, first + most - 1)) do
  rows[#rows + 1] = key
  rows[#rows + 1] = redis.call('ZCARD', base .. KEY_LINE .. key)
end
return rows
