--- Adds jobs that are deduplicated or have a parent, one by one in the order given.
-- needs: events enqueue insert_job
-- keys: counter wait prioritized delayed active completed failed meta events marker priority_counter
-- args: base jobs
-- returns: for each the id of the new job, what is there instead (a row, or the id alone when it is to be read, or
--   the id and 0), PARENT_MISSING without its parent, OTHER_PARENT when it has another
local cap = stream_cap(meta)
local answers, woken = {}, {}
for index, given in ipairs(cmsgpack.unpack(jobs)) do
  if given.parent and redis.call('EXISTS', given.parent.key) == 0 then
    answers[index] = PARENT_MISSING
  else
    answers[index] = insert(keys, given, woken)
    if given.parent and answers[index] ~= OTHER_PARENT then release_parent_if_free(given.parent, given.timestamp) end
  end
end
trim(events, cap)
wake_workers(keys, woken.ready, woken.delayed)
return answers
