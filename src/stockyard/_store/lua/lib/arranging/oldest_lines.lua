-- The first jobs of the lines that are there for longest.

-- A parked key waits for a person, and another number says so: its line is passed over.
local function first_of_oldest_lines(keys, base)
  local ids, names = {}, redis.pcall('ZRANGE', keys.keys_lines, 0, 99)
  for _, key in ipairs(names.err and {} or names) do
    if #ids == 10 then break end
    if redis.pcall('HEXISTS', keys.keys_parked, key) == 0 then
      local first = redis.pcall('ZRANGE', base .. KEY_LINE .. key, 0, 0)
      ids[#ids + 1] = not first.err and first[1] or nil
    end
  end
  return ids
end
