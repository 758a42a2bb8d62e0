-- The rate that the queue's declaration gives its workers; a limit of the queue's own comes before it.

local function rate_gate(request, taking)
  taking.max, taking.window = request.limit_max, request.limit_window
end
