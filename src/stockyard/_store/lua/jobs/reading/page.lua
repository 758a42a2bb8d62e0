--- Reads jobs in some states, with their records, from a place on: a part of what a page or a search asks for.
-- needs: rows
-- keys: wait paused prioritized active delayed waiting_children completed failed keys_lines keys_waiting
-- args: base states source line skip size newest_first
-- returns: rows of fields, the id last; and where the next part begins: number of the source (0 at the end), rank of
--   the line among all lines of keys, and how many ids to pass over there
local newest = newest_first == '1'
local LINES = keys_lines
-- What a BullMQ 5 set aside waits longer than what was added to wait since then, and jobs in the lines of their keys
-- start after all that wait there.
local places = {
  waiting = {LINES, wait, paused}, active = {active}, prioritized = {prioritized}, delayed = {delayed},
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

-- One call passes over so many ids without a record, and looks at so many lines; the next one goes on.
local MOST_MISSING, MOST_LINES = 1000, 1000
local rows, missing, lines_seen = {}, 0, 0
local wanted = tonumber(size)
source, line, skip = tonumber(source), tonumber(line), tonumber(skip)

local function is_over()
  return #rows >= wanted or missing >= MOST_MISSING or lines_seen >= MOST_LINES
end

-- Returns whether all of the key was read.
local function collect(key)
  local there = redis.call(is_list[key] and 'LLEN' or 'ZCARD', key)
  while skip < there and not is_over() do
    local ids = ids_of(key, skip, skip + wanted - #rows - 1)
    if #ids == 0 then break end
    skip = skip + #ids
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
  if skip < there then return false end
  skip = skip - there
  return true
end

-- The lines of all keys, one after the other; returns whether all were read.
local function collect_lines()
  local waiting = line == 0 and tonumber(redis.call('GET', keys_waiting) or 0) or 0
  if waiting > 0 and skip >= waiting then
    skip = skip - waiting
    return true
  end
  while not is_over() do
    local names = ids_of(LINES, line, line + 99)
    for _, key in ipairs(names) do
      if is_over() or not collect(base .. KEY_LINE .. key) then return false end
      line, lines_seen = line + 1, lines_seen + 1
    end
    if #names < 100 then
      line = 0
      return true
    end
  end
  return false
end

local sources = {}
for state in string.gmatch(states, '%S+') do
  local there = places[state]
  for at = 1, #there do sources[#sources + 1] = there[newest and at or #there + 1 - at] end
end
while source <= #sources and not is_over() do
  local key = sources[source]
  if not (key == LINES and collect_lines() or key ~= LINES and collect(key)) then break end
  source = source + 1
end
return {rows, source <= #sources and source or 0, line, skip}
