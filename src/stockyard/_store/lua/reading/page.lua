--- Reads a page of jobs of one state, with their records.
-- parts: rows
-- keys: wait prioritized active delayed waiting_children completed failed
-- args: base state first last newest_first
-- returns: rows of fields, the id last
local sources = {
  waiting = wait, active = active, prioritized = prioritized, delayed = delayed,
  completed = completed, failed = failed, ['waiting-children'] = waiting_children,
}
local key = sources[state]
first, last = tonumber(first), tonumber(last)
local descending = newest_first == '1'
local ids
if key == wait or key == active then
  -- The head of a list is its newest.
  if descending then
    ids = redis.call('LRANGE', key, first, last)
  else
    local reversed = redis.call('LRANGE', key, -(last + 1), -(first + 1))
    ids = {}
    for at = #reversed, 1, -1 do ids[#ids + 1] = reversed[at] end
  end
else
  ids = redis.call(descending and 'ZREVRANGE' or 'ZRANGE', key, first, last)
end
local rows = {}
for _, id in ipairs(ids) do
  local row = read_row(base .. id, 'returnvalue', 'processedOn', 'finishedOn', 'pb')
  if not row.err and (row[1] or redis.call('EXISTS', base .. id) == 1) then
    row[19] = id
    rows[#rows + 1] = row
  end
end
return rows
