--- Reads entries of a cache that are there and whose tags hold; each becomes the most recently used.
-- parts: room entries
-- keys:
-- args: base name wanted
-- returns: for each key false, or value, ms it stays fresh, ms its load took, its stamp, its packed tags
local found, now = {}, now_us()
for at, key in ipairs(cmsgpack.unpack(wanted)) do found[at] = look_up(base, name, key, now + at) or false end
settle(base)
return found
