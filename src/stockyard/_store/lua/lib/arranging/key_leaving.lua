-- Takes a job that is removed out of the line of its key.
-- needs: key_lines

local function leave_key_line(base, id)
  local key = redis.call('HGET', base .. id, 'stockyard.key')
  return key and out_of_key_line(names_of_keys(base), base, id, key)
end
