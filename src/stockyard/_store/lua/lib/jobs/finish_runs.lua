-- Writes how many runs ended, in few calls; one that cannot be written costs no other anything.
-- needs: events removing bulk_transitions retention finish_job

-- A run is sent as so many values: the job's id, its token (empty: that of the run before), how it ended (the text of
-- its result, or a list that begins with what else it was), and which of the ways to keep records is its own.
local RUN_SIZE = 4

-- What its children say against an end of this kind, or nothing.
local function held_by_children(job, kind)
  if kind == 'completed' and redis.call('EXISTS', job .. DEPENDENCIES, job .. UNSUCCESSFUL) > 0 then
    return redis.call('EXISTS', job .. DEPENDENCIES) == 1 and CHILDREN_PENDING or CHILDREN_FAILED
  end
  if kind == 'waiting children' and redis.call('EXISTS', job .. UNSUCCESSFUL) == 1 then
    return CHILDREN_FAILED
  end
end

local function lock_error(job, lock, token)
  if lock == token or token == '0' then return nil end
  if lock then return LOCK_MISMATCH end
  -- Among several keys, one that is no text is read as none: read alone, it is an error.
  redis.call('GET', job .. LOCK)
  return LOCK_MISSING
end

local function error_text(problem)
  return tostring(type(problem) == 'table' and problem.err or problem)
end

-- Calls `step` with each number; what stops it is that number's code, and it goes on with the next.
local function each_by_itself(batch, number, codes, step)
  local at = 0
  local function go_on()
    while at < number do
      at = at + 1
      if not codes[at] then step(at) end
    end
  end
  while at < number do
    local is_done, problem = pcall(go_on)
    if not is_done then
      codes[at] = error_text(problem)
      stay_active(batch)
    end
  end
end

-- Takes completed jobs from active to where they stay: all of them, or none. Returns the set of those that were active;
-- or nothing, and the problem.
local function complete_together(batch, ids, keep_of)
  local keys, left, kept = batch.keys, {}, {}
  local is_done, problem = pcall(function()
    left = all_out_of_active(keys, ids)
    for at = 1, #ids do
      local id = ids[at]
      if left[id] and keep_of[id].count ~= 0 then
        kept[#kept + 1] = batch.moment
        kept[#kept + 1] = id
      end
    end
    if #kept > 0 then all_to_done(keys.completed, kept) end
  end)
  if is_done then return left end
  back_to_active(keys, ids, left)
  return nil, error_text(problem)
end

-- Returns a code per run (0, or why it was not written); when all are written, their number.
local function finish_runs(batch, sent)
  local keys, base, keeps, codes = batch.keys, batch.base, batch.keeps, {}
  local number, token = (#sent - 1) / RUN_SIZE, ''
  keeps[0] = keep_policy(nil)
  for at, keep in ipairs(sent[1]) do keeps[at] = keep_policy(keep) end
  local ids, jobs, tokens, outcomes, keep_at, locks, children = {}, {}, {}, {}, {}, {}, {}
  for at = 1, number do
    local first = RUN_SIZE * at - RUN_SIZE + 2
    local id = sent[first]
    local job = base .. id
    if sent[first + 1] ~= '' then token = sent[first + 1] end
    ids[at], jobs[at], tokens[at], outcomes[at], keep_at[at] = id, job, token, sent[first + 2], keeps[sent[first + 3]]
    locks[at] = job .. LOCK
    children[2 * at - 1], children[2 * at] = job .. DEPENDENCIES, job .. UNSUCCESSFUL
  end
  local held = redis.call('MGET', unpack(locks))
  -- A child may end before its parent in the same call: with children anywhere, each run asks for its own.
  local asks_children = redis.call('EXISTS', unpack(children)) > 0

  -- Most runs completed and concern nobody else: `together` are their ids.
  local attempts, others, together, keep_of = {}, {}, {}, {}
  each_by_itself(batch, number, codes, function(at)
    local id, job = ids[at], jobs[at]
    local name, parent_key, deduplication, made =
      unpack(redis.call('HMGET', job, 'name', 'parentKey', 'deid', 'atm'))
    if not name and redis.call('EXISTS', job) == 0 then
      codes[at] = JOB_MISSING
      return
    end
    attempts[at] = tonumber(made) or 0
    if type(outcomes[at]) == 'string' and not (asks_children or parent_key or deduplication or keep_of[id])
      and not lock_error(job, held[at], tokens[at]) then
      together[#together + 1] = id
      keep_of[id] = keep_at[at]
      return
    end
    others[at] = {
      id = id, job = job, parent_key = parent_key, deduplication = deduplication, attempts = attempts[at],
      keep = keep_at[at], asks_children = asks_children,
    }
    -- What its deduplication kept back may become a child of a run behind it.
    asks_children = asks_children or deduplication
  end)
  local left, problem
  if #together > 0 then left, problem = complete_together(batch, together, keep_of) end

  local ways
  each_by_itself(batch, number, codes, function(at)
    local run, id, job, outcome = others[at], ids[at], jobs[at], outcomes[at]
    if run then
      ways = ways or ways_to_end(batch)
      if type(outcome) == 'string' then outcome = {'completed', outcome} end
      codes[at] = run.asks_children and held_by_children(job, outcome[1]) or lock_error(job, held[at], tokens[at])
        or ways[outcome[1]](run, unpack(outcome, 2))
      return
    end
    codes[at] = problem
    if problem then return end
    batch.locks[#batch.locks + 1] = locks[at]
    batch.freed[#batch.freed + 1] = id
    codes[at] = left[id] and 0 or WRONG_STATE
    if not left[id] then return end
    local keep = keep_at[at]
    if keep.count == 0 then
      drop(base, id)
    else
      redis.call('HSET', job, 'returnvalue', outcome, 'finishedOn', batch.moment, 'atm', attempts[at] + 1)
      keep.completed = keep.is_bounded
    end
    batch.ended.completed = batch.ended.completed + 1
    local entry =
      redis.call('XADD', keys.events, '*', 'event', 'completed', 'jobId', id, 'returnvalue', outcome, 'prev', 'active')
    if #outcome > LARGE then count_large(keys.events, keys.meta, entry, #outcome) end
  end)
  for at = 1, number do
    if codes[at] ~= 0 then return codes end
  end
  return number
end
