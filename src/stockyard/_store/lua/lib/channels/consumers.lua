-- Finds groups and what their consumers hold.

local function info_of(base, group)
  if redis.call('EXISTS', base .. 'messages') == 0 then return nil end
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', base .. 'messages')) do
    local info = {}
    for at = 1, #flat, 2 do info[flat[at]] = flat[at + 1] end
    if info.name == group then return info end
  end
end

-- A consumer says of how many missed messages its program knows; the others of the group need not say it again.
local function note_reported(base, group, reported)
  local state, field = base .. 'state', 'reported:' .. group
  local before = tonumber(redis.call('HGET', state, field)) or 0
  if tonumber(reported) > before then redis.call('HSET', state, field, reported) end
end

-- Who was killed left its name; who lives asks often, and who wakes up is known again as soon as it asks.
local function forget_gone(base, group, idle)
  for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', base .. 'messages', group)) do
    local info = {}
    for at = 1, #flat, 2 do info[flat[at]] = flat[at + 1] end
    if info.pending == 0 and info.idle > 10 * idle then
      redis.call('XGROUP', 'DELCONSUMER', base .. 'messages', group, info.name)
    end
  end
end

local function is_kept(base, id)
  return #redis.call('XRANGE', base .. 'messages', id, id) > 0
end

-- The server forgets of a claimed message that is not kept any more that anybody had it; so it is not claimed.
local function count_missed(base, group, id)
  redis.call('XACK', base .. 'messages', group, id)
  redis.call('HINCRBY', base .. 'state', 'missed:' .. group, 1)
end
