--- Stores what the leader found, unless another process leads by now.
-- keys: home
-- args: base token incidents notified max_history
-- returns: 1 when it is stored, 0 when the caller does not lead any more
if redis.pcall('GET', base .. 'leader') ~= token then return 0 end
local current, history = cjson.decode(incidents), base .. 'history'
redis.call('DEL', base .. 'incidents')
for _, incident in ipairs(current) do redis.call('HSET', base .. 'incidents', incident[1], incident[2]) end
-- What is no list was written by another program, and nothing could ever be added to it.
if type(redis.pcall('LLEN', history)) == 'table' then redis.call('DEL', history) end
for _, entry in ipairs(cjson.decode(notified)) do redis.call('LPUSH', history, entry) end
redis.call('LTRIM', history, 0, max_history - 1)
return 1
