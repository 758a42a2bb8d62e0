--- Halts queues by a pattern, or resumes them, and notes who did so, when and why.
-- keys: home
-- args: base field halt now entry channel
-- returns: 1 if that changed anything, all halts that hold now, with their version, as a flat list of a hash
local current = base .. 'current'
local changed
-- A write that takes no memory: a full server refuses nothing after it.
redis.call('HDEL', current, '')
if halt == '' then
  changed = redis.call('HDEL', current, field)
else
  changed = redis.call('HSET', current, field, halt)
end
local version = math.max(tonumber(redis.call('HGET', current, 'version') or 0) + 1, tonumber(now))
version = string.format('%.0f', version)
redis.call('HSET', current, 'version', version)
redis.call('XADD', base .. 'audit', 'MAXLEN', '~', 10000, '*', unpack(cmsgpack.unpack(entry)))
redis.call('PUBLISH', channel, version)
return {changed, redis.call('HGETALL', current)}
