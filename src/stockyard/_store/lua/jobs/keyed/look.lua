--- Looks at one key: the jobs that stand for it, and the first of its line.
-- needs: key_lines key_rows
-- keys: delayed waiting_children keys_holders keys_parked
-- args: base key most
-- returns: rows as `key_rows` makes them, one for each job that stands for the key; the first ids of its line
local rows = {}
for _, id in ipairs(holders_of(keys, key)) do rows[#rows + 1] = key_row(keys, base, id, key) end
return {rows, redis.call('ZRANGE', base .. KEY_LINE .. key, 0, most - 1)}
