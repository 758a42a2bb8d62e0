--- Reads the limits of one exchange as they are now.
-- needs: limit_head limit_states
-- keys: home
-- args: base now longest
-- returns: what was declared; the freezes, as scope and us left; then of each limit in each scope: the path, what is
--   used and the amount, as text
local time, head = limit_now(now), base .. 'head'
local declared, frozen, rows = redis.call('HGET', head, 'declared'), {}, {}
if not declared then return {false, frozen, rows} end
local fields, amounts, limits = redis.call('HGETALL', head), {}, {}
for at = 1, #fields, 2 do
  local scope, name = string.match(fields[at], '^frozen:(.*)$'), string.match(fields[at], '^most:(.*)$')
  local left = scope and tonumber(fields[at + 1]) - time or 0
  if left > 0 then
    frozen[#frozen + 1] = scope
    frozen[#frozen + 1] = math.ceil(left)
  end
  if name then amounts[name] = tonumber(fields[at + 1]) end
end
for _, limit in ipairs(cmsgpack.unpack(declared).limits) do limits[limit.name] = limit end
for _, path in ipairs(redis.call('ZRANGE', base .. 'paths', 0, longest)) do
  local limit, text = limits[string.match(path, '^[^:]*')], redis.call('GET', base .. 's:' .. path)
  if limit and text then
    local state = cmsgpack.unpack(text)
    limit.most = amounts[limit.name] or limit.most
    advance(limit, state, time)
    rows[#rows + 1] = path
    rows[#rows + 1] = string.format('%.17g', used_of(limit, state, time))
    rows[#rows + 1] = string.format('%.17g', limit.most)
  end
end
return {declared, frozen, rows}
