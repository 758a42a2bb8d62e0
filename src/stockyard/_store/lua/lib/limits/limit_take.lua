-- Admits a call under all of its limits, or counts it under none.
-- needs: limit_head limit_states limit_rules

-- The caller writes the states. Returns the wait in us, 0 for an admitted call; the limit that it waits for, empty for a freeze; whether the end of
-- another call may end the wait; what each limit is at; and whether the limits were declared.
local function take_limits(base, plan, time)
  local head = read_head(base, plan, time)
  local states, views, longest, cause, ends = {}, {}, math.max(0, head.frozen - time), '', false
  for at, limit in ipairs(plan.limits) do
    local state = read_state(base, head, limit, time)
    local wait, has_ends = wait_of(limit, state, plan, head, time)
    ends = ends or has_ends
    if wait > longest then longest, cause = wait, limit.name end
    states[at] = state
  end
  for at, limit in ipairs(plan.limits) do
    local state, view = states[at], {}
    if longest == 0 then
      view = admit(limit, state, plan, time)
      keep_state(limit)
    end
    view.used, view.most = used_of(limit, state, time), limit.most
    views[at] = view
  end
  return math.ceil(longest), cause, ends, views, head.declared
end
