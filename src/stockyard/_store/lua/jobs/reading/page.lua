--- Reads a page of the jobs in some states, with their records.
-- needs: rows
-- keys: wait paused prioritized active delayed waiting_children completed failed
-- args: base states first size newest_first
-- returns: rows of fields, the id last
local newest = newest_first == '1'
-- What a BullMQ 5 set aside waits longer than what was added to wait since then.
local places = {
  waiting = {wait, paused}, active = {active}, prioritized = {prioritized}, delayed = {delayed},
  completed = {completed}, failed = {failed}, ['waiting-children'] = {waiting_children},
}
local is_list = {[wait] = true, [paused] = true, [active] = true}

local function ids_of(key, from, to)
  if not is_list[key] then return redis.call(newest and 'ZREVRANGE' or 'ZRANGE', key, from, to) end
  -- The head of a list is its newest.
  if newest then return redis.call('LRANGE', key, from, to) end
  local reversed, ids = redis.call('LRANGE', key, -(to + 1), -(from + 1)), {}
  for at = #reversed, 1, -1 do ids[#ids + 1] = reversed[at] end
  return ids
end

-- Ids without a record are passed over, as far as one call may look.
local MOST_MISSING = 1000
local rows, missing = {}, 0
local skipped, wanted = tonumber(first), tonumber(size)

local function collect(key)
  local there = redis.call(is_list[key] and 'LLEN' or 'ZCARD', key)
  local at = skipped
  while #rows < wanted and at < there and missing < MOST_MISSING do
    local ids = ids_of(key, at, at + wanted - #rows - 1)
    if #ids == 0 then break end
    at = at + #ids
    for _, id in ipairs(ids) do
      local row = read_stored(base .. id)
      if not row.err and (row[NAME_AT] or redis.call('EXISTS', base .. id) == 1) then
        row[STORED_ID_AT] = id
        rows[#rows + 1] = row
      else
        missing = missing + 1
      end
    end
  end
  skipped = math.max(skipped - there, 0)
end

for state in string.gmatch(states, '%S+') do
  local there = places[state]
  for at = 1, #there do collect(there[newest and at or #there + 1 - at]) end
end
return rows
