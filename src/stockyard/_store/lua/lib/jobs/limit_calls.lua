-- The calls of jobs to an exchange: what they use of its limits.
-- needs: decoding limit_head limit_take

local function escaped(value)
  return (string.gsub(string.gsub(tostring(value), '%%', '%%25'), ',', '%%2C'))
end

-- What a job's call needs, and the line of those that need the same; nothing for a job that no limit concerns.
local function plan_of(job, id, request)
  local of, options = request.limits, redis.call('HGET', job, 'opts')
  local has_use = options and string.find(options, '"limits"', 1, true)
  local asked = has_use and decode_object(options).limits or of.use
  if type(asked) ~= 'table' then return nil end
  local costs, values = asked.cost or {}, asked.scope or {}
  -- A number alone is that of the only limit.
  if type(costs) == 'number' and #of.all == 1 then costs = {[of.all[1].name] = costs} end
  if type(costs) ~= 'table' or type(values) ~= 'table' then return nil end
  local frozen = of.freeze_scope
  if frozen ~= '' then frozen = frozen .. '=' .. escaped(values[frozen] or of.values[frozen] or 'default') end
  local plan = {
    limits = {}, reserve = of.reserve, lane = of.reserve[asked.lane] and asked.lane or '', token = id,
    frozen = frozen, slow = of.slow, trusts = of.trusts,
  }
  local line = {tostring(asked.lane or '')}
  for _, known in ipairs(of.all) do
    local cost = tonumber(costs[known.name]) or 0
    if cost > 0 then
      local limit, parts = {cost = cost}, {}
      for name, value in pairs(known) do limit[name] = value end
      for at, name in ipairs(known.scope) do
        parts[at] = name .. '=' .. escaped(values[name] or of.values[name] or 'default')
      end
      limit.path = known.name .. ':' .. table.concat(parts, ',')
      plan.limits[#plan.limits + 1], line[#line + 1] = limit, limit.path
    end
  end
  if #plan.limits == 0 then return nil end
  return plan, table.concat(line, ';')
end

-- Returns the wait in ms, 0 for a job that may start.
local function admit_job(job, plan, request, time)
  local of = request.limits
  local wait, _, _, views, declared = take_limits(of.base, plan, time)
  if not declared then
    redis.call('HSET', of.base .. 'head', 'declared', cmsgpack.pack({
      limits = of.all, freeze_scope = of.freeze_scope, queues = of.queues, source = of.source,
    }))
    redis.call('HSET', of.index, of.name, '1')
    known_head.declared = ''
  end
  if wait > 0 then return math.ceil(wait / 1000) end
  -- As text: programs may read all of the record as such, and JSON here writes 14 digits.
  for _, view in ipairs(views) do
    view.used, view.most = nil, nil
    view.number, view.at = string.format('%.17g', view.number), string.format('%.17g', view.at)
  end
  redis.call('HSET', job, 'limits', cjson.encode({views = views, values = of.values}))
  return 0
end
