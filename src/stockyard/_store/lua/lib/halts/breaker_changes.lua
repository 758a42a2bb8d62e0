-- What is written when a circuit breaker opens, is tried and closes.
-- needs: events

local function note_breaker(keys, action, queue, reason)
  redis.call('XADD', keys.halts_audit, 'MAXLEN', '~', 1000, '*', 'action', action, 'queues', queue, 'by', 'breaker',
    'reason', reason)
  redis.call('XADD', keys.events, 'MAXLEN', '~', stream_cap(keys.meta), '*', 'event', 'breaker', 'action', action,
    'reason', reason)
end
