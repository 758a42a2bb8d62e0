--- Removes jobs of one state, oldest first, but not those that are too young, locked or a schedule's next run.
-- needs: transitions next_runs bulk_remove
-- keys: wait prioritized delayed active completed failed paused waiting_children events repeat_set stalled
-- args: base state latest room skip notifies parents
-- returns: the removed ids; how many were passed over so far, or AT_END when the last was looked at; parents that are to
--   go as well, by the next call
local WINDOW, AT_END = 500, -1
local lists = {wait = wait, paused = paused, active = active}
local sets = {
  delayed = delayed, prioritized = prioritized, completed = completed, failed = failed,
  ['waiting-children'] = waiting_children,
}
-- Where a job's age is read; of the others the score is the moment that counts.
local moments = {
  wait = {'finishedOn', 'processedOn', 'timestamp'}, delayed = {'processedOn', 'timestamp'},
  prioritized = {'timestamp'},
}
moments.paused, moments.active = moments.wait, moments.wait
local list, set, ages = lists[state], sets[state], moments[state]
local last, most = latest == '' and math.huge or tonumber(latest), tonumber(room)
skip = tonumber(skip)

local function oldest()
  if not list then
    if ages then return redis.call('ZRANGE', set, skip, skip + WINDOW - 1) end
    return redis.call('ZRANGEBYSCORE', set, '-inf', latest, 'LIMIT', skip, WINDOW)
  end
  local newest_first = redis.call('LRANGE', list, -(skip + WINDOW), -(skip + 1))
  local ids = {}
  for at = #newest_first, 1, -1 do ids[#ids + 1] = newest_first[at] end
  return ids
end

local function may_go(id)
  if not ages then return true end
  local job = base .. id
  local fields = redis.pcall('HMGET', job, 'rjk', unpack(ages))
  if fields.err or is_next_run(repeat_set, id, fields[1]) then return false end
  if state == 'active' and redis.call('EXISTS', job .. LOCK) == 1 then return false end
  local age = fields[2] or fields[3] or fields[4]
  return not age or (tonumber(age) or 0) <= last
end

-- A full server refuses nothing more to a script that has written: what makes room must work.
redis.call('SREM', stalled, '')
local removed, above, seen, ids = {}, cmsgpack.unpack(parents), 0, oldest()
-- Places are counted from the oldest, at the end of a list.
local first, marked = list and redis.call('LLEN', list) - skip or 0, false
for at, id in ipairs(ids) do
  if #removed == most then break end
  seen = seen + 1
  if may_go(id) then
    if list then
      mark_out(list, first - at)
      marked = true
    else
      out_of(set, id)
    end
    erase(base, id, above)
    removed[#removed + 1] = id
  else
    skip = skip + 1
  end
end
if marked then take_out_marked(list) end
erase_parents(base, above, 200)
if notifies == '1' or (notifies == '2' and #removed > 0) then
  redis.call('XADD', events, '*', 'event', 'cleaned', 'count', #removed)
end
return {removed, (seen == #ids and #ids < WINDOW) and AT_END or skip, cmsgpack.pack(above)}
