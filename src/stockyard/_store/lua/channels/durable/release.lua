--- Hands a message back to its group, or moves it to the dead letters.
-- needs: dead_letters consumers consumer_pending
-- keys: home
-- args: base group consumer id attempts reason idle
-- returns: 1 when it will be delivered again, 2 when it is a dead letter, 0 when it is not the consumer's any more
local deliveries = info_of(base, group) and deliveries_of(base, group, consumer, id)
if not deliveries then return 0 end
if deliveries >= tonumber(attempts) and is_kept(base, id) then
  dead_letter(base, group, id, deliveries, reason)
  return 2
end
return_to_group(base, group, id, deliveries, idle)
return 1
