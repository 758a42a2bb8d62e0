-- What an entry counts for in the budget.

-- Bytes that the server needs beside key and value: for an entry and its two places. What is stored is rounded up by its
-- allocator, by an eighth on average.
local ENTRY_COST = 350

-- `stored` is the length of the value and its packed tags; `cost` what the tags need elsewhere.
local function size_in_budget(base, path, stored, cost)
  return math.floor(stored * 9 / 8) + 3 * #path + #base + ENTRY_COST + cost
end
