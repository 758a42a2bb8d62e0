--- Reads entries of a cache that are there and whose tags hold; each becomes the most recently used.
-- needs: cache_budget entries
-- keys: home
-- args: base name wanted
-- returns: for each key false, or value, ms it stays fresh, ms its load took, its stamp, its packed tags; fewer than
--   asked when they are large, so that the answer does not fill the server
local found, uses, now, length = {}, {}, now_us(), 0
for at, key in ipairs(cmsgpack.unpack(wanted)) do
  found[at] = look_up(base, name, key, now + at, uses) or false
  length = length + (found[at] and #found[at][1] or 0)
  if length > 250000 then break end
end
note_uses(base, uses)
write_totals(base)
return found
