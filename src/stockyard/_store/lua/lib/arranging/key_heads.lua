-- What became of jobs that stand for their keys, and what follows for those behind them.
-- needs: key_lines transitions

-- Whether a retry lets the next job of its key pass: it then waits in the line, for its time.
local function lets_pass(keys, base, id, key, now)
  if redis.call('EXISTS', base .. KEY_LINE .. key) == 0 then return false end
  local score = redis.call('ZSCORE', keys.delayed, id)
  -- A job that has never run was delayed by the one who added it.
  if not score or not redis.call('HGET', base .. id, 'atm') then return false end
  local due = math.floor(score / 4096)
  if due <= now then return false end
  out_of_delayed(keys, id)
  join_key_line(keys, base, id, key, string.format('%.0f', due - RETRY), now)
  redis.call('INCR', keys.keys_waiting)
  return true
end

-- Whether a job stands for its key no more. One that failed for good may park its key: then it goes on standing for it.
local function is_gone(keys, base, id, key, now, rule)
  if rule.parks then
    local parked = redis.call('HGET', keys.keys_parked, key)
    if parked == id then
      -- It was tried again, by whatever program; a record that is gone leaves the key parked.
      if not redis.call('ZSCORE', keys.failed, id) and redis.call('EXISTS', base .. id) == 1 then
        redis.call('HDEL', keys.keys_parked, key)
        announce_key(keys, id, key, 'resumed')
      else
        return false
      end
    end
  end
  if redis.call('ZSCORE', keys.completed, id) then return true end
  if redis.call('ZSCORE', keys.failed, id) then
    if not rule.parks then return true end
    redis.call('HSET', keys.keys_parked, key, id)
    announce_key(keys, id, key, 'parked')
    return false
  end
  return redis.call('EXISTS', base .. id) == 0 or rule.passes and lets_pass(keys, base, id, key, now)
end

-- Looks at one job that stands for its key; with what has gone, the next of the key is let out of its line.
local function look_at_head(keys, base, id, key, now, rule, woken)
  if is_gone(keys, base, id, key, now, rule) then
    fill_places(keys, base, key, stand_down(keys, id, key), now, rule, woken)
  end
end
