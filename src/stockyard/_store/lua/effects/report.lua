--- Writes how effects ended, as the runs that began them know: a late success is evidence, a late failure is none.
-- needs: compact_effects effect_records effect_outcomes
-- keys: meta events effects_open effects_unknown effects_settled effects_compact
-- args: base now reports
-- returns: how many reports, if all stand committed; else for each the outcome as it stands, or EFFECT_MISSING
local WIDTH = 6
local moment = string.format('%.0f', effect_time(now))
local packed, stands = cmsgpack.unpack(reports), {}
-- What running jobs say of themselves a full server must take.
redis.call('ZREM', effects_open, '')

-- Nearly all were begun once, and are committed by the run that began them: by few commands for many of them.
local function report_usual()
  local names, fields, ended = {}, {}, {}
  for at = 1, #packed, WIDTH do names[#names + 1] = packed[at] end
  for number, text in ipairs(redis.call('HMGET', effects_compact, unpack(names))) do
    local at = (number - 1) * WIDTH
    local key, nonce, outcome, value = packed[at + 1], packed[at + 2], packed[at + 4], packed[at + 5]
    if text and outcome == 'committed' and is_open_under(text, nonce) and not ended[key] then
      fields[#fields + 1], fields[#fields + 2] = key, committed_as(text, moment, value)
      ended[key], stands[number] = true, outcome
    end
  end
  if #fields == 0 then return end
  redis.call('HSET', effects_compact, unpack(fields))
  for at = 1, #fields, 2 do file_effect(keys, fields[at], 'committed', moment, 'open') end
end

local function report(key, nonce, fence, outcome, value, reason)
  local effect = base .. EFFECT .. key
  local record = read_effect(keys, base, key)
  local stood, by, applied, news = record.outcome, record.by, record.applied, {value = value, reason = reason}
  if not stood then return EFFECT_MISSING end
  local is_own = record.nonce == nonce
  local is_open = is_own and stood == 'open'
  if outcome == 'committed' then
    local is_repeated = is_own and stood == 'committed' and by == 'worker'
    if not is_open and not is_repeated then
      set_apart(keys, effect, record)
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

local committed = 0
local failure = for_each_filed(keys, function()
  report_usual()
  -- The values of each report, one behind the other.
  for at = 1, #packed, WIDTH do
    local number = (at + WIDTH - 1) / WIDTH
    stands[number] = stands[number] or report(unpack(packed, at, at + WIDTH - 1))
    if stands[number] == 'committed' then committed = committed + 1 end
  end
end)
if failure then return failure end
return committed == #stands and committed or stands
