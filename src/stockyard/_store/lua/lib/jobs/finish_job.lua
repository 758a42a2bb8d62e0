-- The end of a job, and what it means to its deduplication id, its parent, the retention and the readers.
-- needs: events removing transitions parents retention end_deduplication requeue

local function end_run(batch, job, id, fields, outcome)
  local is_success = outcome[1] == 'completed'
  local value, keep = outcome[2], outcome[is_success and 3 or 5]
  local keys, now, moment = batch.keys, batch.now, batch.moment
  local set, age, count, limit = is_success and keys.completed or keys.failed, keep_policy(keep)
  local made = (tonumber(fields[5]) or 0) + 1
  if is_success then
    redis.call('HSET', job, 'returnvalue', value, 'finishedOn', moment, 'atm', made)
  else
    redis.call('HSET', job, 'failedReason', value, 'stacktrace', outcome[3], 'finishedOn', moment, 'atm', made)
  end
  if not leave_active(batch, job, id) then
    redis.call('HDEL', job, 'finishedOn')
    return WRONG_STATE
  end
  batch.ended[outcome[1]] = batch.ended[outcome[1]] + 1
  if fields[4] then
    end_deduplication(keys, batch.base, fields[4], id, now)
  end
  if fields[2] then
    if is_success then tell_parent_completed(fields[2], fields[3], job, value, now)
    else count_failed_child(fields[2], fields[3], job, value, now) end
  end
  if count == 0 then
    forget_child(job, job)
    drop(batch.base, id)
  else
    to_done(set, id, moment)
    if not is_success then redis.call('HDEL', job, 'defa') end
    if age or count > 0 then
      batch.kept[set .. ' ' .. tostring(age) .. ' ' .. count] = {set, age, count, limit}
    end
  end
  local entry
  if is_success then
    entry =
      redis.call('XADD', keys.events, '*', 'event', 'completed', 'jobId', id, 'returnvalue', value, 'prev', 'active')
  else
    entry =
      redis.call('XADD', keys.events, '*', 'event', 'failed', 'jobId', id, 'failedReason', value, 'prev', 'active')
    if made >= outcome[4] then
      redis.call('XADD', keys.events, '*', 'event', 'retries-exhausted', 'jobId', id, 'attemptsMade', made)
    end
  end
  if #value > LARGE then count_large(keys.events, keys.meta, entry, #value) end
  return 0
end
