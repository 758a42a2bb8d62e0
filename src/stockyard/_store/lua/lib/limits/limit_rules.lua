-- Whether a call may be made now, and if not, how long it waits.
-- needs: limit_states rolling_windows

-- What this call's lane may fill: all but what is reserved for other lanes and not used by them.
-- Of a level it is not known by which lane it was filled, so the whole of a reserve is left.
local function allowed(limit, plan, lanes)
  local reserved = 0
  for lane, share in pairs(plan.reserve) do
    if lane ~= plan.lane then
      local used = limit.kind ~= 'level' and lanes and lanes[lane] or 0
      reserved = reserved + math.max(0, share * limit.most - used)
    end
  end
  return limit.most - reserved + NEARLY
end

-- The time until enough has left a rolling window.
local function rolling_wait(limit, state, plan, now)
  local used, lanes, rows = state.used or 0, {}, state.rows or {}
  for lane, cost in pairs(state.lanes or {}) do lanes[lane] = cost end
  for at = 1, #rows, 3 do
    local lane = rows[at + 2]
    used = used - rows[at + 1]
    if lanes[lane] then lanes[lane] = lanes[lane] - rows[at + 1] end
    if used + limit.cost <= allowed(limit, plan, lanes) then return rows[at] + limit.span - now end
  end
  return limit.span
end

-- After a freeze the limit comes back bit by bit; one call may always be made.
local function thaw_wait(limit, state, plan, head, now)
  local passed = now - head.frozen
  if head.frozen == 0 or passed < 0 or passed >= plan.slow then return 0 end
  if state.thawed ~= head.frozen then state.thawed, state.since = head.frozen, 0 end
  if state.since == 0 then return 0 end
  local share = (state.since + limit.cost) / limit.most
  if share >= 1 then return plan.slow - passed end
  return math.max(0, (share - 0.1 - NEARLY) / 0.9 * plan.slow - passed)
end

-- Returns the wait in us, 0 for none, and whether the end of another call may make it shorter.
local function wait_of(limit, state, plan, head, now)
  local kind = limit.kind
  if kind == 'gap' then return math.max(0, (state.last or 0) + limit.span - now) end
  local is_over = used_of(limit, state, now) + limit.cost > allowed(limit, plan, state.lanes)
  if kind == 'inflight' then
    local first
    for _, call in pairs(is_over and state.calls or {}) do first = math.min(first or call[1], call[1]) end
    return first and first - now or 0, is_over
  end
  local wait = 0
  if is_over and kind == 'fixed' then
    wait = (state.window + 1) * limit.span - now
  elseif is_over and kind == 'rolling' then
    wait = rolling_wait(limit, state, plan, now)
  elseif is_over then
    wait = (state.level + limit.cost - allowed(limit, plan) + NEARLY) / limit.rate
  end
  return math.max(wait, thaw_wait(limit, state, plan, head, now))
end

-- Counts an admitted call; returns what a later word of it is measured by.
local function admit(limit, state, plan, now)
  local kind, cost = limit.kind, limit.cost
  if kind == 'gap' then
    state.last = now
  elseif kind == 'inflight' then
    state.calls = state.calls or {}
    state.calls[plan.token] = {now + limit.span, cost, plan.lane}
  elseif kind == 'level' then
    state.level = state.level + cost
  else
    if kind == 'rolling' then add_row(limit, state, now, cost, plan.lane) end
    count_cost(state, plan.lane, cost)
  end
  state.admitted = (state.admitted or 0) + cost
  if state.since then state.since = state.since + cost end
  return {number = state.admitted, at = now, window = state.window, replaced = state.replaced}
end
