-- Jobs that lost their worker before they began an effect, in a queue whose jobs run at most once.
-- needs: begun_effects

-- What such a job did is unknown: it is not run again. Says so of a job that has begun none.
local function lose_job(keys, base, id, reason)
  local job = base .. id
  if redis.call('HEXISTS', job, BEGUN_EFFECT) == 1 then return false end
  local time = redis.call('TIME')
  local moment = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
  local key = 'job:' .. id
  local starts = redis.call('HGET', job, 'ats') or 0
  -- Every peer fails a job that has this field when it takes it.
  redis.call('HSET', job, 'defa', reason)
  local begun = begun_as(starts, starts, moment, moment, moment, '')
  redis.call('HSET', base .. EFFECT .. key, 'key', key, 'job', id, 'worker', redis.call('HGET', job, 'pb') or '',
    'begun', begun, 'fence', 1, 'nonce', '', 'outcome', 'unknown', 'applied', 1, 'ended', moment, 'by', 'recovery',
    'reason', reason, 'whole', 1)
  redis.call('HDEL', base .. EFFECT .. key, 'value', 'note', 'asked', 'asks')
  redis.call('ZREM', keys.effects_settled, key)
  redis.call('ZADD', keys.effects_unknown, 'NX', moment, key)
  return true
end
