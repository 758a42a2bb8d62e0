--- Keeps what a consumer has in hand from being claimed, and lets others have what it does not know that it has.
-- needs: consumers consumer_pending
-- keys: home
-- args: base group consumer ids idle strays
-- returns: the ids that are not the consumer's any more
local lost, in_hand = {}, {}
local known = cmsgpack.unpack(ids)
if not info_of(base, group) then return known end
for _, id in ipairs(known) do
  in_hand[id] = true
  if not deliveries_of(base, group, consumer, id) then
    lost[#lost + 1] = id
  elseif is_kept(base, id) then
    redis.call('XCLAIM', base .. 'messages', group, consumer, 0, id, 'JUSTID')
  end
end
if strays == '1' then
  for _, held in ipairs(redis.call('XPENDING', base .. 'messages', group, '-', '+', 10000, consumer)) do
    if not in_hand[held[1]] then return_to_group(base, group, held[1], held[4] - 1, idle) end
  end
end
return lost
