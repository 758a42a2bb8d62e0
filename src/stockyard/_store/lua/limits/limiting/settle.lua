--- Ends a call: gives back what did not count, and the places of calls under way; or renews these.
-- needs: limit_head limit_states rolling_windows
-- keys: home
-- args: base now request tickets refunds ends
-- returns: how many limits were changed; what the exchange has counted since is not given back
local plan, time = cmsgpack.unpack(request), limit_now(now)
local head = read_head(base, plan, time)
local found, given, changed = cmsgpack.unpack(tickets), cmsgpack.unpack(refunds), 0

local function give_back(limit, state, ticket, amount)
  local kind = limit.kind
  if kind == 'gap' then
    if state.last == ticket.at then state.last = nil end
  elseif kind == 'level' then
    -- At most so much of the call is left: the level may have sunk by its cost alone.
    state.level = math.max(0, state.level - math.max(0, amount - limit.rate * (time - ticket.at)))
  elseif kind == 'rolling' then
    take_out(state, ticket.at, amount, plan.lane)
  elseif ticket.window == state.window then
    count_cost(state, plan.lane, 0 - amount)
  end
end

for at, limit in ipairs(plan.limits) do
  local state, ticket, amount = read_state(base, head, limit, time), found[at], given[limit.name]
  local is_changed = false
  if limit.kind == 'inflight' then
    local call = state.calls and state.calls[plan.token]
    if call then
      if ends == '1' then state.calls[plan.token] = nil else call[1] = time + limit.span end
      is_changed = true
    end
  elseif amount and ticket.replaced == state.replaced and (state.observed or 0) <= ticket.number then
    give_back(limit, state, ticket, amount)
    is_changed = true
  end
  if is_changed then
    keep_state(limit)
    changed = changed + 1
  end
end
write_states(base, time)
return changed
