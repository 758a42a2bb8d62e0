--- Publishes messages one behind the other on a channel of a slot, up to the first that the node refuses.
-- keys:
-- args: channel texts
-- returns: for each message that was published how many connections it was sent to
local reached = {}
for at, text in ipairs(cmsgpack.unpack(texts)) do
  local sent = redis.pcall('SPUBLISH', channel, text)
  if type(sent) == 'table' then break end
  reached[at] = sent
end
return reached
