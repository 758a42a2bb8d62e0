-- A cache's entries: where they are, what they are made of, and whether they still hold.
-- needs: cache_budget

local function now_us()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function path_of(name, key) return name .. '::e:' .. key end
local function lock_of(base, name, key) return base .. name .. '::l:' .. key .. LOCK end
local function tag_of(base, name, tag) return base .. name .. '::t:' .. tag end

-- Fresh until (ms), how long its load took (ms), what it counts for (bytes), length of its tags; then tags, value.
local HEAD, HEAD_LENGTH = '<dI4I4I4', 20

local function pack_entry(fresh_until, took, size, tags, value)
  return struct.pack(HEAD, fresh_until, took, size, #tags) .. tags .. value
end

-- Bytes that an entry counts for, or nil when there is none.
local function size_of(entry_key)
  local head = redis.call('GETRANGE', entry_key, 0, HEAD_LENGTH - 1)
  if #head < HEAD_LENGTH then return nil end
  local _, _, size = struct.unpack(HEAD, head)
  return size
end

-- An entry holds as long as each of its tags has the version that it was written under.
local function are_current(base, name, tags)
  for at = 1, #tags, 2 do
    if redis.call('GET', tag_of(base, name, tags[at])) ~= tags[at + 1] then return false end
  end
  return true
end

local function remove_sized(base, path, size)
  redis.call('DEL', base .. path)
  count_out(base, member_of(path, size), path, size, 0)
end

local function remove_entry(base, path)
  local size = size_of(base .. path)
  if not size then return 0 end
  remove_sized(base, path, size)
  return 1
end

-- Value, ms it stays fresh (below 0: stale for so long), ms its load took, its stamp, its packed tags; or nil. Its name
-- among the uses is added to `uses`, behind the time.
local function look_up(base, name, key, now, uses)
  local path = path_of(name, key)
  local entry = redis.call('GET', base .. path)
  if not entry then return nil end
  local fresh_until, took, size, tags_length, at = struct.unpack(HEAD, entry)
  local tags = ''
  if tags_length > 0 then
    tags = string.sub(entry, at, at + tags_length - 1)
    if not are_current(base, name, cmsgpack.unpack(tags)) then
      remove_entry(base, path)
      return nil
    end
  end
  local place = #uses
  uses[place + 1], uses[place + 2] = now, member_of(path, size)
  local fresh = math.floor(fresh_until - now / 1000)
  return {string.sub(entry, at + tags_length), fresh, took, string.format('%.0f', fresh_until), tags}
end

-- A full server refuses to note what was used; it is read all the same.
local function note_uses(base, uses)
  if #uses > 0 then redis.pcall('ZADD', base .. ':lru', 'XX', unpack(uses)) end
end
