-- Jobs of one key: so many stand for it where jobs wait and run, the others wait in its line.
-- needs: events transitions

-- A retry that lets others pass stands before them in the line, by when it is due.
local RETRY = 1000000000000000

-- Ids that a fill passes over at most, of jobs that were removed; the next look goes on.
local MOST_GONE = 100

-- The names of what a queue keeps of its keys, for a script that does not name them.
local function names_of_keys(base)
  local first = base .. KEYED
  return {
    keys_heads = first .. 'heads', keys_holders = first .. 'holders', keys_lines = first .. 'lines',
    keys_waiting = first .. 'waiting',
  }
end

-- How many jobs of a key may stand for it. The rule is that of the queue's declaration.
local function places_of(rule, key)
  return rule.concurrency * (rule.weights[key] or 1)
end

local function holders_of(keys, key)
  local text = redis.call('HGET', keys.keys_holders, key)
  return text and cjson.decode(text) or {}
end

-- From now on the job stands for its key, until it is found to be gone.
local function stand_for(keys, id, key, holders)
  holders[#holders + 1] = id
  redis.call('HSET', keys.keys_heads, id, key)
  redis.call('HSET', keys.keys_holders, key, cjson.encode(holders))
end

local function stand_down(keys, id, key)
  local left = {}
  for _, holder in ipairs(holders_of(keys, key)) do
    if holder ~= id then left[#left + 1] = holder end
  end
  redis.call('HDEL', keys.keys_heads, id)
  if #left > 0 then
    redis.call('HSET', keys.keys_holders, key, cjson.encode(left))
  else
    redis.call('HDEL', keys.keys_holders, key)
  end
  return left
end

-- Returns whether it is the first of the line; the caller counts it among the waiting ones.
local function join_key_line(keys, base, id, key, place, now)
  redis.call('ZADD', base .. KEY_LINE .. key, place, id)
  return redis.call('ZADD', keys.keys_lines, 'NX', now, key) == 1
end

-- Whether a job left a line; the key's entry among the lines goes with the last one.
local function out_of_key_line(keys, base, id, key)
  if redis.call('ZREM', base .. KEY_LINE .. key, id) == 0 then return false end
  redis.call('INCRBY', keys.keys_waiting, '-1')
  if redis.call('EXISTS', base .. KEY_LINE .. key) == 0 then redis.call('ZREM', keys.keys_lines, key) end
  return true
end

-- The next of a line: a retry that is due, else the first in order, else the retry that is due first; and when it is due.
local function next_of_line(line, now)
  local first = redis.call('ZRANGE', line, 0, 0, 'WITHSCORES')
  local place = tonumber(first[2])
  if not place or place >= 0 then return first[1] end
  local due = place + RETRY
  local other = due > now and redis.call('ZRANGEBYSCORE', line, 0, '+inf', 'LIMIT', 0, 1)[1]
  if other then return other end
  return first[1], due
end

-- Puts a job where its delay and priority say. In `woken` it is noted what workers are to be woken for.
local function place_head(keys, job, id, due, now, woken)
  local timestamp, delay, priority = unpack(redis.call('HMGET', job, 'timestamp', 'delay', 'priority'))
  delay = tonumber(delay) or 0
  if not due and delay > 0 then due = (tonumber(timestamp) or 0) + delay end
  if due and due > now then
    to_delayed(keys, id, now, due - now)
    redis.call('HSET', job, 'delay', due - now)
    redis.call('XADD', keys.events, '*', 'event', 'delayed', 'jobId', id, 'delay', string.format('%.0f', due))
    woken.delayed = true
    return
  end
  if delay > 0 then redis.call('HSET', job, 'delay', 0) end
  to_ready(keys, id, tonumber(priority) or 0, false)
  redis.call('XADD', keys.events, '*', 'event', 'waiting', 'jobId', id)
  woken.ready = true
end

-- Lets the next jobs of a key out of its line, as long as it has places. `holders` are the jobs that stand for it.
local function fill_places(keys, base, key, holders, now, rule, woken)
  local line, places, gone = base .. KEY_LINE .. key, places_of(rule, key), 0
  while #holders < places and gone < MOST_GONE do
    local id, due = next_of_line(line, now)
    if not id then break end
    out_of_key_line(keys, base, id, key)
    local job = base .. id
    if redis.call('EXISTS', job) == 1 then
      stand_for(keys, id, key, holders)
      place_head(keys, job, id, due, now, woken)
    else
      gone = gone + 1
    end
  end
end

local function announce_key(keys, id, key, state)
  redis.call('XADD', keys.events, 'MAXLEN', '~', stream_cap(keys.meta), '*', 'event', 'key', 'jobId', id, 'key', key,
    'state', state)
end
