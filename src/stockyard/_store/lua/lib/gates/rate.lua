-- The rate that the queue's declaration gives its workers; a limit of the queue's own comes before it.

local function rate_gate(order, taking)
  taking.max, taking.window = order.limit_max, order.limit_window
end
