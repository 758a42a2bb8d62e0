--- Writes how runs ended, then starts as many jobs as the worker has room for.
-- needs: events markers retention metrics finish_runs taking
-- gates: paused concurrency [rate] window
-- keys: counter wait prioritized delayed active completed failed meta events marker priority_counter stalled limiter
--   waiting_children metrics_completed metrics_failed unread
-- args: base now settled request
-- returns: a code per ended run (0, or why not), or their number when all are written; rows of started jobs, their ids,
--   ms to wait for a limit, next due time, its time, 1 when the worker is to confirm that it has the rows, 1 when more
--   wait that would make the reply too large
local wanted = cmsgpack.unpack(request)
if now == '' then
  -- This call was sent before it was known when it would run.
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000) + wanted.clock_offset
end
now = tonumber(now)
local moment = string.format('%.0f', now)
local batch = {
  keys = keys, base = base, now = now, moment = moment, cap = stream_cap(meta),
  locks = {}, freed = {}, keeps = {}, ended = {completed = 0, failed = 0}, any_ready = false, any_delayed = false,
}

-- A full server refuses nothing more to a script that has written: a job whose end it refused would run again.
redis.call('SREM', stalled, '')

local codes = settled ~= '' and finish_runs(batch, cmsgpack.unpack(settled)) or {}
if #batch.locks > 0 then
  redis.call('DEL', unpack(batch.locks))
  redis.call('SREM', stalled, unpack(batch.freed))
end
local number_ended = batch.ended.completed + batch.ended.failed
-- More than have come, so that a backlog gets smaller.
local room = 200 + 2 * number_ended
for _, keep in pairs(batch.keeps) do
  if keep.completed then room = keep_within(completed, base, keep, now, room) end
  if keep.failed then room = keep_within(failed, base, keep, now, room) end
end
local any_ended = number_ended > 0
if any_ended then
  trim(events, batch.cap)
  for target, number in pairs(batch.ended) do
    if number > 0 and wanted.metrics > 0 then
      -- A broken count must not cost what follows.
      local counts = target == 'completed' and metrics_completed or metrics_failed
      pcall(count_ended, counts, number, wanted.metrics, now, moment)
    end
  end
end
if batch.any_ready then wake(keys) end
if batch.any_delayed then add_delay_marker(keys) end

local rows, ids, limited, due, blocked, is_much, has_more = {}, {}, 0, 0, false, false, false
if wanted.take > 0 then
  rows, ids, limited, due, blocked, is_much, has_more = take(keys, base, now, moment, wanted)
elseif #batch.freed > 0 and redis.call('HEXISTS', meta, 'concurrency') == 1
  and redis.call('EXISTS', wait, prioritized) > 0 then
  -- The room that these runs leave under the queue's own concurrency is for other workers.
  wake(keys)
end
if any_ended and #ids == 0 and limited == 0 and due == 0 and not blocked
  and redis.call('EXISTS', wait, active, prioritized) == 0 then
  redis.call('XADD', events, '*', 'event', 'drained')
end
return {codes, rows, ids, limited, due, moment, is_much and 1 or 0, has_more and 1 or 0}
