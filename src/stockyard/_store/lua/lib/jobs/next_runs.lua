-- The one run of each schedule that is still to start.

-- With it the schedule would end: it goes when its schedule goes.
local function is_next_run(repeat_set, id, schedule)
  local due = schedule and redis.call('ZSCORE', repeat_set, schedule)
  return due and id == RUN .. schedule .. ':' .. string.format('%.0f', due)
end
