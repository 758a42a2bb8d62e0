-- Scores of a queue whose jobs age: when each would have been added, had waiting cost its priority no time.
-- needs: scores transitions

-- A number of 53 bits less this is exact, and below every score of BullMQ's own.
local ABOVE_AGED = 9007199254740992

-- The last of these scores.
local LAST_AGED = -1

-- Clocks of programs differ. One that was ahead by more than this, in µs, is not caught up with.
local MOST_AHEAD = 3600000000

-- Returns the score of a job that comes to wait now. Jobs of one priority keep their order.
local function aged_score(batch, now, priority)
  if not batch.aged then batch.aged = tonumber(redis.call('GET', batch.base .. AGED)) or 0 end
  local moment = now * 1000
  if batch.aged >= moment and batch.aged - moment < MOST_AHEAD then moment = batch.aged + 1 end
  batch.aged = moment
  return string.format('%.0f', math.min(moment + priority * batch.wanted.aging * 1000 - ABOVE_AGED, LAST_AGED))
end

-- Ready to run, in its place among the jobs that age.
local function to_ready_aged(batch, id, now, priority)
  to_ready_at(batch.keys.prioritized, id, aged_score(batch, now, priority))
  redis.call('XADD', batch.keys.events, '*', 'event', 'waiting', 'jobId', id)
  batch.any_ready = true
end

local function write_aged(batch)
  if batch.aged then redis.call('SET', batch.base .. AGED, string.format('%.0f', batch.aged)) end
end

-- Lets jobs age that came to wait by BullMQ's own score; until then they are behind all others. Returns how many.
local function regrade(batch, now, most)
  local set = batch.keys.prioritized
  local ids = redis.call('ZRANGE', set, 0, '+inf', 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
  for at = 1, #ids, 2 do
    to_ready_at(set, ids[at], aged_score(batch, now, math.floor(ids[at + 1] / PRIORITY_STEP)))
  end
  return #ids / 2
end
