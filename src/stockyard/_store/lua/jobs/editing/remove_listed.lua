--- Removes jobs of a family out of a part of a list of their queue, or wherever they are when none is named.
-- needs: parents queue_keys transitions families
-- keys: home
-- args: base list skip size ids top
-- returns: the ids that are no longer there, one that a worker holds or ''
-- A full server refuses nothing more to a script that has written: what makes room must work.
local keys = queue_keys(base)
redis.call('SREM', keys.stalled, '')
local wanted, gone, held = {}, {}, ''
for _, id in ipairs(cmsgpack.unpack(ids)) do wanted[id] = true end

local function remove(id, left)
  local job = base .. id
  local link = redis.call('HMGET', job, 'parentKey', 'parent')
  if link[1] == top then give_up_child(link[1], link[2], job) end
  remove_record(base, id, left)
  gone[#gone + 1] = id
end

local function is_free(id)
  if redis.call('EXISTS', base .. id .. LOCK) == 0 then return true end
  held = base .. id
end

if list == '' then
  for id in pairs(wanted) do
    if is_free(id) then remove(id, out_of_all(keys, id)) end
  end
else
  local key, any = keys[list], false
  -- Counted from the oldest, at the end of the list.
  local last = redis.call('LLEN', key) - 1 - skip
  local first = math.max(0, last - size + 1)
  for index, id in ipairs(last < 0 and {} or redis.call('LRANGE', key, first, last)) do
    if wanted[id] and is_free(id) then
      wanted[id] = nil
      mark_out(key, first + index - 1)
      any = true
      remove(id, list)
    end
  end
  if any then take_out_marked(key) end
end
return {gone, held}
