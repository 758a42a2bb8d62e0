--- Lets jobs age that came to wait by BullMQ's own score: retries, promoted jobs, and what Node workers put back.
-- needs: aging transitions
-- keys: prioritized
-- args: base step now most
-- returns: how many there were, at most `most`
-- A full server refuses nothing more to a script that has written.
out_of(prioritized, '')
local batch = {base = base, keys = keys, wanted = {aging = tonumber(step)}}
local number = regrade(batch, tonumber(now), tonumber(most))
write_aged(batch)
return number
