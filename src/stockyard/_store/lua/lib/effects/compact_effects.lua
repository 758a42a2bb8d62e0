-- Usual effects, each a field of one hash: begun once, and perhaps committed by the run that began it.
-- needs: begun_effects

-- Any other effect is a hash of its own.
local function opened_as(nonce, starts, attempt, started, deadline, payload, id, worker)
  return 'o ' .. nonce .. ' ' .. starts .. ' ' .. attempt .. ' ' .. started .. ' ' .. deadline .. ' ' .. payload .. ' '
    .. #id .. ' ' .. id .. worker
end

local function committed_as(text, ended, value)
  return 'c ' .. ended .. ' ' .. #text .. ' ' .. text .. value
end

local function is_open_under(text, nonce)
  return string.sub(text, 1, #nonce + 3) == 'o ' .. nonce .. ' '
end

-- Returns what was written as it was begun; and when it was committed, and with what value, if it was.
local function parts_of(text)
  local ended, size, rest = string.match(text, '^c (%d+) (%d+) (.*)$')
  if not ended then return text end
  return string.sub(rest, 1, size), ended, string.sub(rest, size + 1)
end

-- Returns what the hash of its own would hold, as a list of pairs.
local function pairs_of(key, text)
  local opened, ended, value = parts_of(text)
  local nonce, starts, attempt, started, deadline, payload, length, names =
    string.match(opened, '^o (%S*) (%S*) (%S*) (%S*) (%S*) (%S*) (%d+) (.*)$')
  local fields = {'key', key, 'job', string.sub(names, 1, length), 'worker', string.sub(names, length + 1), 'nonce', nonce,
    'fence', '1', 'begun', begun_as(starts, attempt, started, started, deadline, payload), 'outcome', 'open'}
  if not ended then return fields end
  fields[#fields] = 'committed'
  for _, field in ipairs({'ended', ended, 'by', 'worker', 'value', value}) do fields[#fields + 1] = field end
  return fields
end

local function job_of(text)
  local length, names = string.match((parts_of(text)), '^o %S* %S* %S* %S* %S* %S* (%d+) (.*)$')
  return string.sub(names, 1, length)
end
