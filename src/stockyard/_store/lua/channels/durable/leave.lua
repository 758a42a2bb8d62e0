--- Hands back all that a consumer has, at once, and forgets the consumer.
-- needs: consumers consumer_pending
-- keys: home
-- args: base group consumer untouched idle reported
-- returns: how many messages it had
if not info_of(base, group) then return 0 end
note_reported(base, group, reported)
local is_untouched = {}
for _, id in ipairs(cmsgpack.unpack(untouched)) do is_untouched[id] = true end
local count = 0
while true do
  local page = redis.call('XPENDING', base .. 'messages', group, '-', '+', 1000, consumer)
  for _, held in ipairs(page) do
    return_to_group(base, group, held[1], held[4] - (is_untouched[held[1]] and 1 or 0), idle)
  end
  count = count + #page
  if #page < 1000 then break end
end
redis.call('XGROUP', 'DELCONSUMER', base .. 'messages', group, consumer)
return count
