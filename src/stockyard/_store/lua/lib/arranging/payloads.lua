-- What becomes of two payloads of one coalescing key.
-- needs: json_members

-- The members of both; those of the newer one replace those of the older one.
local function merged(older, newer)
  local parts = {}
  for _, name in ipairs(older.names) do
    parts[#parts + 1] = older.texts[name] .. ':' .. (newer.values[name] or older.values[name])
  end
  for _, name in ipairs(newer.names) do
    if not older.values[name] then parts[#parts + 1] = newer.texts[name] .. ':' .. newer.values[name] end
  end
  return '{' .. table.concat(parts, ',') .. '}'
end

local function is_number(value)
  return value and string.find(value, '^-?%d') and tonumber(value)
end

-- Of two numbers as they are written: large whole ones may differ though they are equal as floating-point numbers.
local function is_less(a, b)
  local x, y = tonumber(a), tonumber(b)
  if x ~= y then return x < y end
  if not (string.find(a, '^-?%d+$') and string.find(b, '^-?%d+$')) then return false end
  if string.byte(a) == 45 then a, b = string.sub(b, 2), string.sub(a, 2) end
  return #a < #b or #a == #b and a < b
end

-- Returns the payload that stays and whether that is the older one; nothing where they do not fit the mode.
local function combined(mode, field, older, newer)
  if mode ~= 'merge' and mode ~= 'max' then return newer, false end
  local before, after = members_of(older), members_of(newer)
  if not before or not after then return nil end
  if mode == 'merge' then return merged(before, after), false end
  local a, b = before.values[field], after.values[field]
  if not is_number(a) or not is_number(b) then return nil end
  if is_less(b, a) then return older, true end
  return newer, false
end
