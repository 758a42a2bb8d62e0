--- Finds keys whose jobs have gone without a word, as those that a Node worker ended: one part of a look through all.
-- needs: enqueue key_heads key_lines
-- keys: wait prioritized delayed active completed failed meta events marker priority_counter stalled keys_heads
--   keys_holders keys_parked keys_lines keys_waiting keys_check keys_rule
-- args: base now rule interval stage cursor
-- returns: the stage and the cursor that go on; an empty stage at the end, or when another worker looks
local PART = 500
-- A full server refuses nothing more to a script that has written: keys go on.
redis.call('SREM', stalled, '')
now = tonumber(now)
if stage == 'first' then
  if not redis.call('SET', keys_check, '1', 'PX', interval, 'NX') then return {'', '0'} end
  stage, cursor = 'heads', '0'
end
-- A worker whose program declares no order goes by what the program declares that lined the jobs up.
if rule == '' then rule = redis.call('GET', keys_rule) end
if not rule then return {'', '0'} end
local declared, woken = cmsgpack.unpack(rule), {}
local going_on = '0'
if stage == 'heads' then
  local reply = redis.call('HSCAN', keys_heads, cursor, 'COUNT', PART)
  for at = 1, #reply[2], 2 do look_at_head(keys, base, reply[2][at], reply[2][at + 1], now, declared, woken) end
  going_on = reply[1]
else
  -- A line that nobody stands before: its key has got more places, or many of its jobs were removed.
  local lines = redis.call('ZRANGE', keys_lines, cursor, cursor + PART - 1)
  if #lines == PART then going_on = string.format('%.0f', cursor + PART) end
  for _, key in ipairs(lines) do
    fill_places(keys, base, key, holders_of(keys, key), now, declared, woken)
  end
end
wake_workers(keys, woken.ready, woken.delayed)
if going_on ~= '0' then return {stage, going_on} end
return {stage == 'heads' and 'lines' or '', '0'}
