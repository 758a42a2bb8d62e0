--- Publishes messages one behind the other; one call, as their replies would cost more than they do.
-- keys:
-- args: channel texts
-- returns: for each message how many connections it was sent to
local reached = {}
for at, text in ipairs(cmsgpack.unpack(texts)) do reached[at] = redis.call('PUBLISH', channel, text) end
return reached
