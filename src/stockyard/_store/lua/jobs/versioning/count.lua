--- Counts jobs that have not ended by their payload version: a part of a look through all of them.
-- needs: canary
-- keys: active waiting_children delayed prioritized wait paused
-- args: base source cursor room
-- returns: pairs of a version and a number, and the cursor of the next part, empty at the end. A source is the name of a
--   state, or the key of a line behind a colon. Jobs that move on meanwhile may count twice; none is left out that
--   stays, or leaves by the end where the next ones are taken
local numbers, following = {}, ''
local most = tonumber(room)

local function add(id)
  local version = string.format('%.0f', version_and_key(base .. id))
  numbers[version] = (numbers[version] or 0) + 1
end

-- From the newest on: what is taken meanwhile leaves at the other end.
local function count_ranks(command, key)
  local from = tonumber(cursor)
  local ids = redis.call(command, key, from, from + most - 1)
  for _, id in ipairs(ids) do add(id) end
  if #ids == most then following = string.format('%.0f', from + most) end
end

-- A scan of a set finds whatever is there from its beginning to its end, whatever else comes and goes.
local function count_set(key)
  local found = redis.call('ZSCAN', key, cursor, 'COUNT', most)
  for at = 1, #found[2], 2 do add(found[2][at]) end
  if found[1] ~= '0' then following = found[1] end
end

local sets = {['waiting-children'] = waiting_children, delayed = delayed, prioritized = prioritized}
local lists = {active = active, wait = wait, paused = paused}
if sets[source] then
  count_set(sets[source])
elseif lists[source] then
  count_ranks('LRANGE', lists[source])
else
  count_ranks('ZREVRANGE', base .. KEY_LINE .. string.sub(source, 2))
end
local pairs_of = {}
for version, number in pairs(numbers) do
  pairs_of[#pairs_of + 1], pairs_of[#pairs_of + 2] = version, number
end
return {pairs_of, following}
