-- What belongs to all limits of one exchange: freezes, amounts set at run time, and which server they were counted on.

-- How often the server's identity is looked at, and for how long counts may be wrong after it has changed, in us.
local IDENTITY_CHECK, LONGEST_DOUBT = 250000, 600000000

local function limit_now(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- Notes that another server runs, as after a failover: what the last one counted may be lost.
local function check_identity(head, plan, now)
  if plan.trusts or math.abs(now - (tonumber(head.checked) or 0)) < IDENTITY_CHECK then return end
  local info = redis.pcall('INFO', 'server')
  local server = type(info) == 'string' and string.match(info, 'run_id:(%x+)')
  if not server then return end
  server = string.sub(server, 1, 12)
  if head.server and head.server ~= server and now - tonumber(head.checked) < LONGEST_DOUBT then
    head.replaced = string.format('%.0f', now)
    redis.call('HSET', head.key, 'replaced', head.replaced)
  end
  head.server, head.checked = server, now
  redis.call('HSET', head.key, 'server', server, 'checked', string.format('%.0f', now))
end

-- What was read, for all calls of one script.
local known_head

-- The write that takes no memory comes first: a full server refuses nothing after it.
local function load_head(base, plan, now)
  local head = {key = base .. 'head'}
  redis.call('HDEL', head.key, '')
  local fields = redis.call('HGETALL', head.key)
  for at = 1, #fields, 2 do
    local name, value = fields[at], fields[at + 1]
    -- A freeze that has been over for long is none.
    if string.sub(name, 1, 7) == 'frozen:' and tonumber(value) + LONGEST_DOUBT < now then
      redis.call('HDEL', head.key, name)
    else
      head[name] = value
    end
  end
  check_identity(head, plan, now)
  return head
end

-- Fields by name, with the amounts and the freeze that hold for this call.
local function read_head(base, plan, now)
  known_head = known_head or load_head(base, plan, now)
  local head = known_head
  for _, limit in ipairs(plan.limits) do limit.most = tonumber(head['most:' .. limit.name]) or limit.most end
  head.frozen = math.max(tonumber(head['frozen:']) or 0, tonumber(head['frozen:' .. plan.frozen]) or 0)
  return head
end
