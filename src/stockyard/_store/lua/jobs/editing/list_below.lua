--- Lists the children of some jobs, about a hundred of each kind a call; each job as key, stage from 1, and cursor.
-- needs: families
-- keys: home
-- args: jobs idle_only
-- returns: a job that a worker holds or '', children, the jobs that were not listed to their end
local PAGE = 100
local LISTED_AT_ONCE = 200
local stages = {
  {'HSCAN', PROCESSED, 2}, {'HSCAN', IGNORED, 2}, {'ZSCAN', UNSUCCESSFUL, 2}, {'SSCAN', DEPENDENCIES, 1},
}
local children, rest = {}, {}

-- Returns where to go on, or nothing at the end.
local function list_more(job, stage, cursor)
  while stage <= #stages do
    if #children >= LISTED_AT_ONCE then return {job, stage, cursor} end
    local command, suffix, step = unpack(stages[stage])
    local reply = redis.call(command, job .. suffix, cursor, 'COUNT', PAGE)
    for at = 1, #reply[2], step do
      local child = reply[2][at]
      if idle_only == '0' or is_idle(child) then children[#children + 1] = child end
    end
    cursor = reply[1]
    if cursor == '0' then stage = stage + 1 end
  end
end

for _, each in ipairs(cmsgpack.unpack(jobs)) do
  local job, stage, cursor = each[1], each[2], each[3]
  if idle_only == '0' and redis.call('EXISTS', job .. LOCK) == 1 then return {job, {}, {}} end
  if redis.call('EXISTS', job .. PROCESSED, job .. IGNORED, job .. UNSUCCESSFUL, job .. DEPENDENCIES) > 0 then
    if idle_only == '1' then stage = #stages end
    rest[#rest + 1] = list_more(job, stage, cursor)
  end
end
return {'', children, rest}
