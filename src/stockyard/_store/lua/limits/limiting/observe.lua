--- Sets what is used to what the exchange counted at a call, and what was admitted after that call.
-- needs: limit_head limit_states rolling_windows
-- keys: home
-- args: base now request tickets counts
-- returns: how many limits were set; the others were counted by a newer call, or in a window that is over
local plan, time = cmsgpack.unpack(request), limit_now(now)
local head = read_head(base, plan, time)
local found, counted, set = cmsgpack.unpack(tickets), cmsgpack.unpack(counts), 0
for at, limit in ipairs(plan.limits) do
  local ticket, count = found[at], counted[limit.name]
  if count then
    local state, kind = read_state(base, head, limit, time), limit.kind
    local lasts = limit.span or limit.most / limit.rate
    local is_current = ticket.at + lasts > time
    if kind == 'fixed' then is_current = ticket.window == state.window end
    if is_current and ticket.replaced == state.replaced and ticket.number > (state.observed or 0) then
      local used = count.used or limit.most - count.left
      used = math.max(0, used + (state.admitted or 0) - ticket.number)
      if kind == 'fixed' then
        state.used = used
      elseif kind == 'rolling' then
        set_rolling(limit, state, time, used)
      else
        state.level = used
      end
      state.observed, set = ticket.number, set + 1
      keep_state(limit)
    end
  end
end
write_states(base, time)
return set
