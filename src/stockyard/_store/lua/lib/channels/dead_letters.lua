-- Moves what a group gives up to the dead letters.
-- needs: messages

-- Their number is bounded, as they are kept without limit of time.
local function dead_letter(base, group, id, deliveries, reason)
  local entry = redis.call('XRANGE', base .. 'messages', id, id)[1]
  -- First, as it takes no memory: a script that has written may write on though the server is full.
  redis.call('XACK', base .. 'messages', group, id)
  redis.call(
    'XADD', base .. 'dead', 'MAXLEN', '~', 10000, '*', 'group', group, 'id', id,
    'deliveries', deliveries, 'reason', reason, 'd', text_of(entry)
  )
end
