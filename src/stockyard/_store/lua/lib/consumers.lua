-- Finds groups and what their consumers hold.

local function info_of(base, group)
  if redis.call('EXISTS', base .. 'messages') == 0 then return nil end
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', base .. 'messages')) do
    local info = {}
    for at = 1, #flat, 2 do info[flat[at]] = flat[at + 1] end
    if info.name == group then return info end
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
