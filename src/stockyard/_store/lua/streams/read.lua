--- Reads the events after a position, with what tells whether some before them are gone.
-- keys: events
-- args: after count
-- returns: the entries, or false when there is no stream; how many were ever added (-1 when the server does not
--          say), how many there are, the first id there is, the last id ever given
if redis.call('EXISTS', events) == 0 then return {false} end
local facts = {}
local info = redis.call('XINFO', 'STREAM', events)
for at = 1, #info, 2 do facts[info[at]] = info[at + 1] end
local entries = {}
if count ~= '0' then entries = redis.call('XRANGE', events, '(' .. after, '+', 'COUNT', count) end
local first = facts['first-entry']
return {
  entries, facts['entries-added'] or -1, facts['length'], first and first[1] or '', facts['last-generated-id'],
}
