-- What is used of limits, and of a rolling window when.

-- Parts of a rolling window whose uses are kept together: each leaves with the last one of its part.
local PARTS = 200

-- Counts a cost in, or, below 0, out, for the lane that it came by.
local function count_cost(state, lane, cost)
  state.used = math.max(0, (state.used or 0) + cost)
  if lane ~= '' then
    state.lanes = state.lanes or {}
    state.lanes[lane] = math.max(0, (state.lanes[lane] or 0) + cost)
  end
end

-- Of a rolling window: rows of time, cost and lane, one behind the other, the oldest first.
local function drop_expired(limit, state, now)
  local rows, first = state.rows or {}, 1
  while rows[first] and rows[first] + limit.span <= now do
    count_cost(state, rows[first + 2], 0 - rows[first + 1])
    first = first + 3
  end
  if first > 1 then state.rows = {unpack(rows, first)} end
end

-- A row of the same part and lane grows; it leaves with its last use, so none leaves too early.
local function add_row(limit, state, now, cost, lane)
  local rows = state.rows or {}
  state.rows = rows
  local part = math.floor(now * PARTS / limit.span)
  local at = #rows - 2
  while at > 0 and math.floor(rows[at] * PARTS / limit.span) >= part do
    if rows[at + 2] == lane then
      rows[at], rows[at + 1] = math.max(rows[at], now), rows[at + 1] + cost
      return
    end
    at = at - 3
  end
  local last = rows[#rows - 2] or now
  rows[#rows + 1], rows[#rows + 2], rows[#rows + 3] = math.max(now, last), cost, lane
end

-- Takes an amount out of rows, beginning with the first that is not older than a time; returns what was taken.
local function take_out(state, since, amount, lane)
  local left, rows = amount, state.rows or {}
  for at = 1, #rows, 3 do
    if left <= 0 then break end
    if rows[at] >= since and (not lane or rows[at + 2] == lane) then
      local part = math.min(left, rows[at + 1])
      rows[at + 1], left = rows[at + 1] - part, left - part
      count_cost(state, rows[at + 2], 0 - part)
    end
  end
  return amount - left
end

-- Sets what is used of a rolling window: more counts as used now, and what is too much leaves as the oldest.
local function set_rolling(limit, state, now, used)
  local more = used - (state.used or 0)
  if more > 0 then
    add_row(limit, state, now, more, '')
    count_cost(state, '', more)
  else
    take_out(state, 0, 0 - more)
  end
end
