-- What the options of a job say of its coalescing key.
-- needs: decoding

-- The options end with the number of replaced payloads, and since when the last one is there.
local function with_count(options, number, renewed)
  local start = string.match(options, '^(.*"replaced":)%d+[^}]*}}$')
  if not start then return options end
  local tail = renewed and string.format('%.0f,"renewed":%.0f}}', number, renewed) or string.format('%.0f}}', number)
  return start .. tail
end

local function replaced_in(options)
  return tonumber(string.match(options, '^.*"replaced":(%d+)[^}]*}}$')) or 0
end

local function renewed_in(options)
  return tonumber(string.match(options, '^.*"replaced":%d+,"renewed":(%d+)}}$'))
end

local function mode_in(options)
  local given = decode_object(options).coalesce
  if type(given) ~= 'table' then return 'latest', '' end
  return given.mode or 'latest', given.field or ''
end
