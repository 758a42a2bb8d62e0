--- Lists a part of the keys that have jobs, or of those that are parked.
-- needs: key_rows
-- keys: delayed waiting_children keys_heads keys_parked
-- args: base state cursor
-- returns: the cursor that goes on, '0' at the end; rows as `key_rows` makes them, one for each job that stands for a key
local PART = 200
local is_parked = state == 'parked'
local reply = redis.call('HSCAN', is_parked and keys_parked or keys_heads, cursor, 'COUNT', PART)
local rows = {}
for at = 1, #reply[2], 2 do
  local first, second = reply[2][at], reply[2][at + 1]
  if is_parked then first, second = second, first end
  rows[#rows + 1] = key_row(keys, base, first, second)
end
return {reply[1], rows}
