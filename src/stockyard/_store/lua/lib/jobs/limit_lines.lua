-- Jobs that wait for limits of an exchange: delayed, in lines of those that need the same.
-- needs: transitions limit_calls

-- A delayed job of a line is looked at so much later than its line is due, in ms: its line brings it before that.
local BEHIND = 60000

-- A line asks again after this, in ms, however long its limit says: a freeze may be ended, a limit raised.
local LINE_LOOK = 5000

-- Delays a job until a while after its line is due, unless the line brings it before that.
local function set_aside(keys, job, id, now, due)
  local delay = math.max(due - now, 0) + BEHIND
  to_delayed(keys, id, now, delay)
  redis.call('HSET', job, 'delay', delay)
  redis.call('XADD', keys.events, '*', 'event', 'delayed', 'jobId', id, 'delay', now + delay)
end

-- When a delayed job is due, in ms; nothing for another one.
local function due_of(keys, id)
  local score = redis.call('ZSCORE', keys.delayed, id)
  return score and math.floor(score / 4096)
end

-- Notes when a line is due; one worker that waits is woken, and learns of it.
local function set_due(keys, line, now, wait)
  local due = now + math.min(wait, LINE_LOOK)
  redis.call('ZADD', keys.lines, due, line)
  redis.call('ZADD', keys.marker, due, '1')
  redis.call('PEXPIRE', keys.lines, wait + 86400000)
end

-- Puts a job behind those of its line.
local function join_line(base, line, id, wait)
  local members = base .. LINE .. line
  local last = redis.call('ZRANGE', members, -1, -1, 'WITHSCORES')
  redis.call('ZADD', members, (tonumber(last[2]) or 0) + 1, id)
  redis.call('PEXPIRE', members, wait + 86400000)
end

-- Starts the first jobs of lines that are due, as long as there is room; `begin` starts one and returns whether
-- another may start. Where not every worker runs every job, `lines` are its own, and `sorts` returns whether the first of
-- one is its own as well; else it has put that into another line.
local function take_lines(keys, base, now, time, request, begin, lines, sorts)
  local looked = 0
  lines = lines or redis.call('ZRANGEBYSCORE', keys.lines, '-inf', now, 'LIMIT', 0, 50)
  for _, line in ipairs(lines) do
    local members, goes_on = base .. LINE .. line, true
    -- Of those that were removed, each call looks at a bounded number.
    while goes_on and looked < 500 do
      looked = looked + 1
      local id = redis.call('ZRANGE', members, 0, 0)[1]
      local job = id and base .. id
      if not id then
        redis.call('ZREM', keys.lines, line)
        goes_on = false
      elseif not due_of(keys, id) then
        -- It was removed, or is ready by another's hand.
        redis.call('ZREM', members, id)
      elseif not sorts or sorts(id, members) then
        local plan = plan_of(job, id, request)
        local wait = plan and admit_job(job, plan, request, time) or 0
        if wait == 0 then
          redis.call('ZREM', members, id)
          out_of_delayed(keys, id)
          redis.call('HSET', job, 'delay', 0)
          if not begin(id) then return end
        else
          set_due(keys, line, now, wait)
          -- Or it would be promoted before its limits admit it, and again and again.
          if due_of(keys, id) < now + wait then
            out_of_delayed(keys, id)
            set_aside(keys, job, id, now, now + wait)
          end
          goes_on = false
        end
      end
    end
  end
end

-- Returns whether a job that is ready may start; one that may not is delayed. `kind` parts lines whose jobs not the same
-- workers run.
local function may_start(keys, base, id, now, time, request, kind)
  local job = base .. id
  local plan, line = plan_of(job, id, request)
  if not plan then return true end
  if kind then line = kind .. line end
  local members = base .. LINE .. line
  local is_waiting = redis.call('EXISTS', members) == 1
  local wait = not is_waiting and admit_job(job, plan, request, time) or nil
  if wait == 0 then return true end
  if not redis.call('ZSCORE', members, id) then join_line(base, line, id, wait or BEHIND) end
  local due
  if wait then
    set_due(keys, line, now, wait)
    due = now + wait
  else
    -- A line whose time was lost is due now.
    redis.call('ZADD', keys.lines, 'NX', now, line)
    -- As long as its first one waits, this one does.
    due = math.max(now, (due_of(keys, redis.call('ZRANGE', members, 0, 0)[1]) or 0) - BEHIND)
  end
  set_aside(keys, job, id, now, due)
  return false
end
