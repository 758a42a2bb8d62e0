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

-- Returns what comes before the number of older options where the newer ones, with no number yet, say the same; that
-- number; and since when their payload is there. Nothing where they differ, or a job expires after a time.
local function same_but_for_count(newer, older)
  local head, number, tail = string.match(older, '^(.*"replaced":)(%d+)([^}]*)}}$')
  if not head or newer ~= head .. '0}}' or string.find(head, '"expiresIn":', 1, true) then return nil end
  return head, tonumber(number), tail
end

-- Where the job is placed: the delay and the priority, which follow the attempts. Returns what is before, the place,
-- what is behind, and the delay; nothing for a text of another form.
local function place_in(options)
  local _, head = string.find(options, '^{"attempts":%d+')
  if not head then return nil end
  local delay = string.match(options, '^,"delay":%d+', head + 1) or ''
  local priority = string.match(options, '^,"priority":%d+', head + #delay + 1) or ''
  local place = delay .. priority
  return string.sub(options, 1, head), place, string.sub(options, head + #place + 1), tonumber(string.sub(delay, 10)) or 0
end

-- The newer options with the place of the older ones, and its delay.
local function keeping_place(newer, older)
  local head, place, rest, own_delay = place_in(newer)
  local _, kept, _, delay = place_in(older)
  if not head or not kept then return newer, own_delay or 0 end
  if place == kept then return newer, delay end
  return head .. kept .. rest, delay
end

local function mode_in(options)
  local given = decode_object(options).coalesce
  if type(given) ~= 'table' then return 'latest', '' end
  return given.mode or 'latest', given.field or ''
end
