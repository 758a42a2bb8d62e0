--- Removes jobs that wait in the lines of their keys, but not those that are too young.
-- needs: bulk_remove key_lines
-- keys: events stalled keys_lines keys_waiting
-- args: base latest room line skip notifies
-- returns: the removed ids; and where the next part begins: rank of the line, or AT_END, and how many to pass over there
local AT_END, WINDOW, MOST_LINES = -1, 500, 500
local last, most = latest == '' and math.huge or tonumber(latest), tonumber(room)
line, skip = tonumber(line), tonumber(skip)
-- A full server refuses nothing more to a script that has written: what makes room must work.
redis.call('SREM', stalled, '')
local removed, above, seen = {}, {}, 0

local function may_go(id)
  if latest == '' then return true end
  local added = redis.pcall('HGET', base .. id, 'timestamp')
  return type(added) ~= 'string' or (tonumber(added) or 0) <= last
end

-- Returns whether all of the line was looked at.
local function clear_line(key)
  local members = base .. KEY_LINE .. key
  while seen < WINDOW and #removed < most do
    local ids = redis.call('ZRANGE', members, skip, skip + 99)
    for _, id in ipairs(ids) do
      if #removed == most then return false end
      seen = seen + 1
      if may_go(id) then
        out_of_key_line(keys, base, id, key)
        erase(base, id, above)
        removed[#removed + 1] = id
      else
        skip = skip + 1
      end
    end
    if #ids < 100 then return true end
  end
  return false
end

for _ = 1, MOST_LINES do
  local key = redis.call('ZRANGE', keys_lines, line, line)[1]
  if not key then
    line = AT_END
    break
  end
  if not clear_line(key) then break end
  -- A line that was emptied is no line any more: the next one has its rank.
  if redis.call('ZSCORE', keys_lines, key) then line = line + 1 end
  skip = 0
end
if notifies == '1' or (notifies == '2' and #removed > 0) then
  redis.call('XADD', events, '*', 'event', 'cleaned', 'count', #removed)
end
return {removed, line, skip}
