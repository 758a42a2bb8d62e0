-- The members of a JSON object as they are written: read and written by cjson, large numbers and empty lists change.

-- Where the text that begins with the quote at a place ends.
local function end_of_text(text, at)
  at = at + 1
  while true do
    local mark = string.find(text, '["\\]', at)
    if string.byte(text, mark) == 34 then return mark end
    at = mark + 2
  end
end

-- Where the value of a member that begins at a place ends.
local function end_of_value(text, at)
  local depth = 0
  while true do
    local mark = string.find(text, '["{}%[%],]', at)
    local what = string.sub(text, mark, mark)
    at = mark + 1
    if what == '"' then
      at = end_of_text(text, mark) + 1
    elseif what == '{' or what == '[' then
      depth = depth + 1
    elseif depth == 0 then
      return mark - 1
    elseif what ~= ',' then
      depth = depth - 1
    end
  end
end

-- Returns the names of an object's members in their order, with each name's text and value as written; nothing for what
-- is no object.
local function members_of(text)
  local at = select(2, string.find(text, '^%s*{'))
  -- What cjson has read has all its quotes and brackets.
  if not at or not pcall(cjson.decode, text) then return nil end
  local members = {names = {}, texts = {}, values = {}}
  at = string.find(text, '["}]', at + 1)
  while string.byte(text, at) == 34 do
    local close = end_of_text(text, at)
    local written = string.sub(text, at, close)
    local name = string.find(written, '\\', 1, true) and cjson.decode('[' .. written .. ']')[1]
      or string.match(written, '^"(.*)"$')
    local from = string.find(text, ':', close + 1, true) + 1
    local last = end_of_value(text, from)
    if not members.values[name] then members.names[#members.names + 1] = name end
    members.texts[name] = written
    members.values[name] = string.match(string.sub(text, from, last), '^%s*(.-)%s*$')
    at = string.find(text, '["}]', last + 1)
  end
  return members
end
