--- Writes how effects ended, as the runs that began them know: a late success is evidence, a late failure is none.
-- needs: effect_records effect_outcomes
-- keys: meta events effects_open effects_unknown effects_settled
-- args: base now reports
-- returns: for each report the outcome as it stands, or EFFECT_MISSING
local WIDTH = 6
local moment = string.format('%.0f', effect_time(now))
local packed, stands = cmsgpack.unpack(reports), {}
-- What running jobs say of themselves a full server must take.
redis.call('ZREM', effects_open, '')

local function report(key, nonce, fence, outcome, value, reason)
  local effect = base .. EFFECT .. key
  local begun, stood, by, applied, job = unpack(redis.call('HMGET', effect, 'nonce', 'outcome', 'by', 'applied', 'job'))
  if not stood then return EFFECT_MISSING end
  local record, news = {key = key, job = job, outcome = stood}, {value = value, reason = reason}
  local is_own = begun == nonce
  local is_open = is_own and stood == 'open'
  if outcome == 'committed' then
    local is_repeated = is_own and stood == 'committed' and by == 'worker'
    if not is_open and not is_repeated then
      redis.call('HSET', effect, 'evidence', '{"fence":' .. fence .. ',"value":' .. value .. '}')
    end
    if stood == 'committed' then return stood end
    news.by = is_open and 'worker' or 'evidence'
  elseif is_open then
    -- Of an attempt before this one that may have been applied, a failure of this one proves nothing.
    local is_certain = outcome == 'failed' and applied ~= '1'
    outcome, news.by = is_certain and 'failed' or 'unknown', 'worker'
  else
    return stood
  end
  conclude_effect(keys, effect, record, outcome, moment, news)
  return outcome
end

-- The values of each report, one behind the other.
local failure = for_each_filed(keys, function()
  for at = 1, #packed, WIDTH do stands[#stands + 1] = report(unpack(packed, at, at + WIDTH - 1)) end
end)
return failure or stands
