--- Sets a canary, changes its share, or ends it; what waits aside is divided again by the workers that take it.
-- needs: markers version_sides
-- keys: stalled marker versions releases lines
-- args: base version share moment
-- returns: the version and the share that were set before, empty for none
-- A full server must not keep anybody from taking a canary back.
redis.call('SREM', stalled, '')
local before = redis.call('HMGET', releases, 'canary', 'share')
if version == '' then
  redis.call('HDEL', releases, 'canary', 'share', 'since')
else
  redis.call('HSET', releases, 'canary', version, 'share', share, 'since', moment)
end
for _, number in ipairs(redis.call('HKEYS', versions)) do
  local members, canary, stable = line_of(base, number), line_of(base, number, CANARY), line_of(base, number, STABLE)
  if redis.call('EXISTS', canary, stable) > 0 then
    redis.call('ZUNIONSTORE', members, 3, members, canary, stable, 'AGGREGATE', 'MIN')
    redis.call('UNLINK', canary, stable)
  end
end
for _, line in ipairs(redis.call('ZRANGE', lines, 0, -1)) do
  local number, needs = string.match(line, '^v(%d+):%a+|(.*)$')
  if number then
    local all = 'v' .. number .. '|' .. needs
    local members = base .. LINE .. all
    redis.call('ZUNIONSTORE', members, 2, members, base .. LINE .. line, 'AGGREGATE', 'MIN')
    redis.call('UNLINK', base .. LINE .. line)
    -- It asks at once, and no sooner than a call is admitted.
    redis.call('ZADD', keys.lines, 'NX', moment, all)
    redis.call('ZREM', keys.lines, line)
  end
end
add_marker(keys)
return {before[1] or '', before[2] or ''}
