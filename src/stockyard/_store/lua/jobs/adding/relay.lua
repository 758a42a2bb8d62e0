--- Adds jobs of an outbox in the order given, each row once, up to the first that is refused or finds no room.
-- needs: events enqueue insert_job
-- keys: counter wait paused prioritized delayed active completed failed meta events marker priority_counter
-- args: base jobs memory most
-- returns: for each what adding.attach returns; the id and 0 of a row that was added within the last `memory` ms; the
--   first that is refused is the last, and what would make more than `most` wait is left out; -1 is no limit
local cap = stream_cap(meta)
local answers, woken = {}, {}
local room = tonumber(most)
local is_limited = room >= 0
if is_limited then
  room = room - redis.call('LLEN', wait) - redis.call('LLEN', paused) - redis.call('ZCARD', prioritized)
end
for index, given in ipairs(cmsgpack.unpack(jobs)) do
  local relayed = base .. RELAYED .. given.row
  local parent = given.parent
  if redis.call('EXISTS', relayed) == 1 then
    -- The record of a job that has ended may be gone, so the id alone does not show that the job was added.
    answers[index] = {given.id, 0}
  elseif is_limited and room <= 0 then
    break
  elseif parent and redis.call('EXISTS', parent.key) == 0 then
    answers[index] = PARENT_MISSING
    break
  else
    answers[index] = insert(keys, given, woken)
    if answers[index] == OTHER_PARENT then break end
    redis.call('SET', relayed, 1, 'PX', memory)
    if parent then release_parent_if_free(parent, given.timestamp) end
    room = room - 1
  end
end
trim(events, cap)
wake_workers(keys, woken.ready, woken.delayed)
return answers
