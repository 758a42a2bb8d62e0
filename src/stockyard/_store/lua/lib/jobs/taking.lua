-- Starts jobs: out of where they wait, locked, announced, and handed to the worker.
-- needs: markers bulk_transitions promoting rows gates

-- From here on a worker confirms that it has the records before it runs the jobs.
local MUCH = 65536

-- Notes starts whose records make a large reply, until the worker confirms that it has them: a start that it never
-- heard of is no stall. The number before the colon is the start, the one behind it how often that happened.
local function mark_unread(unread, started, rows)
  for at, id in ipairs(started) do
    local before = redis.call('HGET', unread, id)
    redis.call('HSET', unread, id, rows[at][STARTS_AT] .. ':' .. (before and before:match('%d+$') or '0'))
  end
  redis.call('PEXPIRE', unread, 86400000)
end

-- By one command where the server has it and the caller may use it.
local function lock_all(base, ids, request)
  local locks = {}
  for at = 1, #ids do locks[2 * at - 1], locks[2 * at] = base .. ids[at] .. LOCK, request.token end
  local is_known, is_allowed
  if #ids > 2 then
    is_known, is_allowed = pcall(redis.acl_check_cmd, 'MSETEX', 1, locks[1], request.token, 'PX', request.lock_ms)
  end
  if is_known and is_allowed then
    locks[#locks + 1] = 'PX'
    locks[#locks + 1] = request.lock_ms
    redis.call('MSETEX', #ids, unpack(locks))
    return
  end
  for at = 1, 2 * #ids, 2 do redis.call('SET', locks[at], request.token, 'PX', request.lock_ms) end
end

-- Returns the job's fields as the caller reads them, or nothing for an id whose record is gone.
local function start(keys, job, id, moment, worker)
  -- What is no record at all must not cost the ids that left the line together with it their places.
  local row = read_started(job)
  if row.err or not row[NAME_AT] and redis.call('EXISTS', job) == 0 then return nil end
  local starts = (tonumber(row[STARTS_AT]) or 0) + 1
  row[STARTS_AT] = starts
  if worker ~= '' then
    redis.call('HSET', job, 'processedOn', moment, 'pb', worker, 'ats', starts)
  else
    redis.call('HSET', job, 'processedOn', moment, 'ats', starts)
  end
  redis.call('XADD', keys.events, '*', 'event', 'active', 'jobId', id, 'prev', 'waiting')
  return row
end

-- Returns the started jobs, their ids, the wait in ms that a limit asks for, the next due time, whether limits keep all
-- from starting, whether the records are to be confirmed, and whether more wait that would make the reply too large.
-- `moment` is `now` as text: formatted once, not by the server for each job.
local function take(keys, base, now, moment, request)
  if promote_due(keys, base, now) then wake(keys) end
  local taking = pass_gates(keys, request)
  local room = taking.room
  local rows, started, counted, size, most, has_more, is_empty = {}, {}, 0, 0, request.most_bytes, false, false
  while #started < room and not has_more do
    local wanted = room - #started
    local ids, plain, by_priority = pop_ready(keys, wanted)
    for at, id in ipairs(ids) do
      if size >= most then
        put_back(keys, ids, at, plain, by_priority)
        has_more = true
        break
      end
      local row = start(keys, base .. id, id, moment, request.worker)
      if row then
        rows[#rows + 1] = row
        started[#started + 1] = id
        if not row[DEFERRED_AT] then counted = counted + 1 end
        size = size + #(row[DATA_AT] or '') + #(row[PROGRESS_AT] or '') + #(row[STACKTRACE_AT] or '')
      end
    end
    is_empty = #ids < wanted and not has_more
    if is_empty then redis.call('DEL', keys.priority_counter) end
    if #ids == 0 then break end
  end
  if #started > 0 then
    lock_all(base, started, request)
    to_active(keys, started)
    note_started(keys, taking, counted)
    if not is_empty then add_marker(keys) end
    if size > MUCH then mark_unread(keys.unread, started, rows) end
    return rows, started, 0, 0, false, size > MUCH, has_more
  end
  if taking.limited > 0 then return rows, started, taking.limited, 0 end
  local first = redis.call('ZRANGE', keys.delayed, 0, 0, 'WITHSCORES')
  return rows, started, 0, first[2] and math.floor(first[2] / 4096) or 0, room == 0
end
