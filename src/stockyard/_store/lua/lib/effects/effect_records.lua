-- Records of effects: what a job is about to do outside its queue, and what became of that.
-- needs: compact_effects

-- An empty `now` is the server's own time.
local function effect_time(now)
  if now ~= '' then return tonumber(now) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- As `begun_as` writes it.
local BEGUN = '^(%S*) (%S*) (%S*) (%S*) (%S*) (%S*)$'

-- Returns the record by field, and as the list of pairs that callers read.
local function read_effect(keys, base, key)
  local text, record = redis.call('HGET', keys.effects_compact, key), {}
  local fields = text and pairs_of(key, text) or redis.call('HGETALL', base .. EFFECT .. key)
  for at = 1, #fields, 2 do record[fields[at]] = fields[at + 1] end
  if record.begun then
    record.starts, record.attempt, record.first, record.started, record.deadline, record.payload =
      string.match(record.begun, BEGUN)
  end
  record.compact = text and fields
  return record, fields
end

-- Before anything is written that a usual effect does not have: from now on it is a hash of its own.
local function set_apart(keys, effect, record)
  if not record.compact then return end
  -- This write takes no memory: a full server refuses nothing after it.
  redis.call('HDEL', keys.effects_compact, record.key)
  redis.call('HSET', effect, unpack(record.compact))
  record.compact = nil
end

-- The set where an effect of this outcome is: open ones by when they are overdue, unknown ones by since when they
-- are, all others by when they ended.
local function file_of(keys, outcome)
  if outcome == 'open' then return keys.effects_open end
  return outcome == 'unknown' and keys.effects_unknown or keys.effects_settled
end

-- What a script moves between these sets: who leaves each of them, who enters it, each behind its score, and where an
-- effect is in the end.
local leaving, entering, places = {}, {}, {}

local function list_of(lists, file)
  local list = lists[file]
  if not list then
    list = {}
    lists[file] = list
  end
  return list
end

-- `was` is the outcome that it had, nil of a new effect; `write_files` writes it.
local function file_effect(keys, key, outcome, moment, was)
  local file, old, last = file_of(keys, outcome), was and file_of(keys, was), places[key]
  if old and old ~= file then
    local members = list_of(leaving, old)
    members[#members + 1] = key
  end
  if last and last ~= file then
    local kept, scores = {}, entering[last]
    for at = 1, #scores, 2 do
      if scores[at + 1] ~= key then kept[#kept + 1], kept[#kept + 2] = scores[at], scores[at + 1] end
    end
    entering[last] = kept
  end
  places[key] = file
  local scores = list_of(entering, file)
  local count = #scores
  scores[count + 1], scores[count + 2] = moment, key
end

-- Once for all effects of a script: few commands for many of them.
local function write_files(keys)
  for filed, members in pairs(leaving) do redis.call('ZREM', filed, unpack(members)) end
  for filed, scores in pairs(entering) do
    -- What is unknown again stays unknown since then.
    if #scores > 0 and filed == keys.effects_unknown then
      redis.call('ZADD', filed, 'NX', unpack(scores))
    elseif #scores > 0 then
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
