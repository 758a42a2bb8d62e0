-- What became of jobs that did not run: how many were replaced, expired, dropped or refused, counted for good.

local function count(counted, what)
  counted[what] = (counted[what] or 0) + 1
end

local function write_counts(base, counted)
  for what, number in pairs(counted) do redis.call('HINCRBY', base .. COUNTS, what, number) end
end
