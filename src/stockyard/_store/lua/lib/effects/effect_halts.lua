-- What keeps effects from being begun, though their job runs already.

-- Returns the halt of the whole queue, of one of these keys, or of its circuit breaker but for its trial; or nothing.
local function halt_of_effect(keys, id, names)
  local fields = {'all'}
  for _, name in ipairs(names) do fields[#fields + 1] = 'key:' .. name end
  for _, halt in ipairs(redis.call('HMGET', keys.halts, unpack(fields))) do
    if halt then return halt end
  end
  local open, trial = unpack(redis.call('HMGET', keys.breaker, 'open', 'trial'))
  return open and trial ~= id and open
end
