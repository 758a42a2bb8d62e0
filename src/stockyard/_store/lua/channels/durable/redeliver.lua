--- Publishes dead letters again, for the group that gave them up alone.
-- needs: messages
-- keys: home
-- args: base ids
-- returns: how many there were
local dead, count = base .. 'dead', 0
for _, id in ipairs(cmsgpack.unpack(ids)) do
  local letter = redis.call('XRANGE', dead, id, id)[1]
  if letter then
    local fields = fields_of(letter)
    local number = redis.call('HINCRBY', base .. 'state', 'last', 1)
    redis.call('XADD', base .. 'messages', '*', 'n', number, 'd', fields.d, 'g', fields.group)
    redis.call('XDEL', dead, id)
    count = count + 1
  end
end
return count
