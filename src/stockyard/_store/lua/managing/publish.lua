--- Puts an event into the queue's stream, which keeps its usual length.
-- parts: events
-- keys: meta events
-- args: fields
-- returns: the entry's id
return redis.call('XADD', events, 'MAXLEN', '~', stream_cap(meta), '*', unpack(cmsgpack.unpack(fields)))
