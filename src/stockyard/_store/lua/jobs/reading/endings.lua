--- Looks for the ends of jobs in the event stream, from an entry backwards, as far as one call should.
-- keys: events
-- args: ids from
-- returns: for each job whose last event was found: its id, the event's name, its text; and where to go on, or ''
local SLICE, MOST, MOST_BYTES = 50, 500, 1000000
local texts = {completed = 'returnvalue', failed = 'failedReason'}
-- These say nothing of where the job went.
local beside = {['retries-exhausted'] = true, duplicated = true, deduplicated = true, progress = true}
local wanted, left = {}, 0
for _, id in ipairs(cmsgpack.unpack(ids)) do
  wanted[id] = true
  left = left + 1
end

local found, at, seen, bytes = {}, from, 0, 0

local function note(fields)
  local by_name = {}
  for index = 1, #fields, 2 do
    by_name[fields[index]] = fields[index + 1]
    bytes = bytes + #fields[index + 1]
  end
  local id, name = by_name.jobId, by_name.event
  if id and wanted[id] and not beside[name] then
    wanted[id] = nil
    left = left - 1
    found[#found + 1] = {id, name, by_name[texts[name] or ''] or ''}
  end
end

while left > 0 and seen < MOST and bytes < MOST_BYTES do
  local entries = redis.call('XREVRANGE', events, at, '-', 'COUNT', SLICE)
  for _, entry in ipairs(entries) do note(entry[2]) end
  seen = seen + #entries
  if #entries < SLICE then return {found, ''} end
  at = '(' .. entries[#entries][1]
end
return {found, left > 0 and at or ''}
