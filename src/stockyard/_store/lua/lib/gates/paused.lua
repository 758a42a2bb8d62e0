-- A paused queue starts nothing.

local function paused_gate(paused)
  return paused
end
