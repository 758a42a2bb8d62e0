--- Looks at a durable channel: how much it keeps, and when the last message came.
-- keys: home
-- args: base
-- returns: how many messages are kept, id of the first and of the last one that is there, empty without one, and how many
--   dead letters there are
local stream = base .. 'messages'
local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
return {
  redis.call('XLEN', stream), first and first[1] or '', last and last[1] or '', redis.call('XLEN', base .. 'dead'),
}
