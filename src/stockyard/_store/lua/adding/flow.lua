--- Adds trees of jobs across queues, each parent before its children; all of them, or none when one is refused.
-- parts: decoding events markers placing removing parents entering claiming inserting
-- keys:
-- args: queues jobs
-- returns: the ids in the order given; or -5 or -7 and the number of the job whose parent is missing or another
local all_keys, given = cmsgpack.unpack(queues), cmsgpack.unpack(jobs)

for number, each in ipairs(given) do
  local parent = each.parent
  if parent and not parent.is_new and redis.call('EXISTS', parent.key) == 0 then return {-5, number} end
  if parent and each.id ~= '' and belongs_elsewhere(all_keys[each.queue].base .. each.id, parent.key) then
    return {-7, number}
  end
end

local caps = {}
for index, keys in ipairs(all_keys) do caps[index] = stream_cap(keys.meta) end
local ids = {}
for number, each in ipairs(given) do ids[number] = insert(all_keys[each.queue], each) end
-- Only now is it known that no other child follows; siblings are not always neighbours.
local let_go = {}
for _, each in ipairs(given) do
  if each.parent and not let_go[each.parent.key] then
    let_go[each.parent.key] = true
    let_parent_go(each.parent, each.timestamp)
  end
end
for index, keys in ipairs(all_keys) do
  trim(keys.events, caps[index])
  wake(keys, keys.any_ready, keys.any_delayed)
end
return ids
