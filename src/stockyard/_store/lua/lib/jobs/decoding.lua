-- Reads JSON that any peer or hand may have written.

-- The object, or an empty one for a text that holds none: a broken text must not cost a job its place.
local function decode_object(text)
  local ok, found = pcall(cjson.decode, text or '')
  return ok and type(found) == 'table' and found or {}
end
