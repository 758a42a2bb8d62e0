-- The state of a limit in one scope: what counts against it by now, and what admitting a call changes.
-- needs: rolling_windows

-- Sums of costs are no whole numbers; a difference below this is none.
local NEARLY = 1e-6

-- A state outlives what counts by this, in ms: the clock of the next server may be behind.
local SPARE = 60000

-- Counts a limit as used up from a time on.
local function use_up(limit, state, since)
  local kind = limit.kind
  if kind == 'fixed' then
    if math.floor(since / limit.span) == state.window then state.used = math.max(state.used, limit.most) end
  elseif kind == 'rolling' then
    if (state.used or 0) < limit.most then set_rolling(limit, state, since, limit.most) end
  elseif kind == 'level' then
    state.level, state.at = math.max(state.level or 0, limit.most), since
  elseif kind == 'gap' then
    state.last = math.max(state.last or 0, since)
  else
    state.calls = state.calls or {}
    state.calls[''] = {since + limit.span, limit.most, ''}
  end
end

-- Drops what does not count any more.
local function advance(limit, state, now)
  local kind = limit.kind
  if kind == 'fixed' then
    local window = math.floor(now / limit.span)
    -- The clock of the next server may be behind: a window that it has not reached goes on.
    if not state.window or window > state.window then
      state.window, state.used, state.admitted, state.lanes, state.observed = window, 0, 0, nil, nil
    end
  elseif kind == 'rolling' then
    drop_expired(limit, state, now)
  elseif kind == 'level' then
    local since = state.at or now
    state.level = math.max(0, (state.level or 0) - limit.rate * math.max(0, now - since))
    state.at = math.max(since, now)
  elseif kind == 'inflight' then
    state.used, state.lanes = 0, nil
    for token, call in pairs(state.calls or {}) do
      if call[1] <= now then state.calls[token] = nil else count_cost(state, call[3], call[2]) end
    end
  end
end

-- States that this script has read, and those that it has changed, by their paths.
local read_states, changed_states = {}, {}

-- The state as it is now; where the server was replaced since it was counted, its limit counts as used up then.
local function read_state(base, head, limit, now)
  local state = read_states[limit.path]
  if not state then
    local text = redis.call('GET', base .. 's:' .. limit.path)
    state = text and cmsgpack.unpack(text) or {is_new = true}
    read_states[limit.path] = state
  end
  advance(limit, state, now)
  if state.replaced ~= head.replaced then
    if (limit.span or limit.most / limit.rate) <= LONGEST_DOUBT then
      use_up(limit, state, tonumber(head.replaced))
      advance(limit, state, now)
    end
    state.replaced, state.observed = head.replaced, nil
  end
  return state
end

-- What is used by now.
local function used_of(limit, state, now)
  if limit.kind == 'level' then return state.level end
  if limit.kind == 'gap' then return (state.last or 0) + limit.span > now and 1 or 0 end
  return state.used or 0
end

-- Notes that a state is to be written, once for all calls of a script.
local function keep_state(limit)
  changed_states[limit.path] = limit
end

local function write_state(base, limit, state, now)
  local key, lasts = base .. 's:' .. limit.path, limit.span or limit.most / limit.rate
  if state.is_new then
    state.is_new = nil
    -- Two of the paths noted longest ago are looked at for each new one, so that there are never many of dead ones.
    for _, path in ipairs(redis.call('ZRANGE', base .. 'paths', 0, 1)) do
      if redis.call('EXISTS', base .. 's:' .. path) == 0 then
        redis.call('ZREM', base .. 'paths', path)
      else
        redis.call('ZADD', base .. 'paths', string.format('%.0f', now), path)
      end
    end
    redis.call('ZADD', base .. 'paths', string.format('%.0f', now), limit.path)
  end
  redis.call('SET', key, cmsgpack.pack(state), 'PX', math.ceil(lasts / 1000) + SPARE)
end

local function write_states(base, now)
  for path, limit in pairs(changed_states) do write_state(base, limit, read_states[path], now) end
end
