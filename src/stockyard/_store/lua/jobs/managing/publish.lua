--- Puts an event into the queue's stream, which keeps its usual length.
-- needs: events
-- keys: meta events
-- args: fields
-- returns: the entry's id
local texts, bytes = cmsgpack.unpack(fields), 0
local entry = redis.call('XADD', events, 'MAXLEN', '~', stream_cap(meta), '*', unpack(texts))
for _, text in ipairs(texts) do bytes = bytes + #text end
if bytes > LARGE then count_large(events, meta, entry, bytes) end
return entry
