--- Looks at the groups of a durable channel.
-- keys: home
-- args: base
-- returns: for each group its name, how many messages wait for it, how many are in its consumers' hands, for how many
--   ms the oldest of these has shown no sign of life, how many consumers it has, and how many messages it missed
local stream, state, groups = base .. 'messages', base .. 'state', {}
if redis.call('EXISTS', stream) == 0 then return groups end
local function number(field) return tonumber(redis.call('HGET', state, field)) or 0 end
for at, flat in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local info = {}
  for place = 1, #flat, 2 do info[flat[place]] = flat[place + 1] end
  local oldest = redis.call('XPENDING', stream, info.name, '-', '+', 1)[1]
  groups[at] = {
    info.name, number('last') - number('read:' .. info.name), info.pending, oldest and oldest[3] or 0,
    info.consumers, number('missed:' .. info.name),
  }
end
return groups
