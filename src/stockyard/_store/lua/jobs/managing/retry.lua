--- Puts finished jobs of one state back to where they wait, the oldest first; those that have expired stay.
-- needs: events expiry markers transitions retrying
-- keys: wait prioritized active completed failed waiting_children meta events marker priority_counter
-- args: base state latest room passed settled now
-- returns: how many left the state, how many of them wait again, the job whose children are to be settled first, and how
--   many were passed over, with those before
local set = state == 'failed' and failed or completed
local ids = redis.call('ZRANGEBYSCORE', set, '-inf', latest, 'LIMIT', passed, room)
if #ids == 0 then return {0, 0, '', tonumber(passed)} end
local cap, left, again, stays, unsettled = stream_cap(meta), 0, 0, 0, ''
-- Of each job the write that takes no memory comes first: a full server refuses nothing after it.
for _, id in ipairs(ids) do
  local job = base .. id
  -- What is no record runs never again; it must not cost the others their places.
  local is_record = redis.call('TYPE', job).ok == 'hash'
  if is_record and has_expired(job, now) then
    stays = stays + 1
  else
    if is_record and id ~= settled and number_to_settle(job) > 0 then
      unsettled = id
      break
    end
    out_of(set, id)
    left = left + 1
    if is_record then
      wait_again(keys, job, id, state, cap, now)
      again = again + 1
    end
  end
end
if again > 0 then wake(keys) end
return {left, again, unsettled, passed + stays}
