-- Records of effects: what a job is about to do outside its queue, and what became of that.

-- An empty `now` is the server's own time.
local function effect_time(now)
  if now ~= '' then return tonumber(now) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Returns the record by field, and as the list of pairs that callers read.
local function read_effect(effect)
  local fields, record = redis.call('HGETALL', effect), {}
  for at = 1, #fields, 2 do record[fields[at]] = fields[at + 1] end
  return record, fields
end

-- The set where an effect of this outcome is: open ones by when they are overdue, unknown ones by since when they
-- are, all others by when they ended.
local function file_of(keys, outcome)
  if outcome == 'open' then return keys.effects_open end
  return outcome == 'unknown' and keys.effects_unknown or keys.effects_settled
end

-- What a script moves between these sets: from where each effect leaves, and where it is in the end, with its score.
local left, places = {}, {}

-- `was` is the outcome that it had, nil of a new effect; `write_files` writes it.
local function file_effect(keys, key, outcome, moment, was)
  local file, old = file_of(keys, outcome), was and file_of(keys, was)
  if old and old ~= file then left[#left + 1] = {old, key} end
  places[key] = {file, moment}
end

-- Once for all effects of a script: few commands for many of them.
local function write_files(keys)
  local leave, enter = {}, {}
  for _, each in ipairs(left) do
    local members = leave[each[1]] or {}
    leave[each[1]], members[#members + 1] = members, each[2]
  end
  for key, place in pairs(places) do
    local scores = enter[place[1]] or {}
    enter[place[1]], scores[#scores + 1], scores[#scores + 2] = scores, place[2], key
  end
  for filed, members in pairs(leave) do redis.call('ZREM', filed, unpack(members)) end
  for filed, scores in pairs(enter) do
    -- What is unknown again stays unknown since then.
    if filed == keys.effects_unknown then
      redis.call('ZADD', filed, 'NX', unpack(scores))
    else
      redis.call('ZADD', filed, unpack(scores))
    end
  end
end

-- Does something for several effects and files them, also those before one that cannot be read; returns that error.
local function for_each_filed(keys, act)
  local ok, failure = pcall(act)
  write_files(keys)
  if not ok then return type(failure) == 'table' and failure or {err = failure} end
end
