--- Adds trees of jobs across queues, or a part of them: parents first, then what they wait for, then the rest.
-- needs: events queue_keys parents enqueue insert_job
-- keys: home
-- args: queues checks steps releases
-- returns: what became of each job of the steps, as adding.attach answers, and the keys of the parents to release
--   early; or PARENT_MISSING or OTHER_PARENT and the number of the check whose parent that is
local all_keys, woken = {}, {}
for index, base in ipairs(cmsgpack.unpack(queues)) do all_keys[index], woken[index] = queue_keys(base), {} end

for number, each in ipairs(cmsgpack.unpack(checks)) do
  if each.is_root then
    if redis.call('EXISTS', each.parent) == 0 then return {PARENT_MISSING, number} end
  end
  if each.id ~= '' and belongs_elsewhere(all_keys[each.queue].base .. each.id, each.parent) then
    return {OTHER_PARENT, number}
  end
end

local todo, to_release = cmsgpack.unpack(steps), cmsgpack.unpack(releases)
local caps, answers, early, inserted = {}, {}, {}, {}

-- Lines children up that are still to be added, so that their parent cannot go before the last of them is there.
-- A parent that was there before takes only those of whom it does not know, and none when it runs or has ended.
local function expect(each)
  local parent = each.parent
  local dependencies = parent .. DEPENDENCIES
  if redis.call('EXISTS', parent) == 0 then return end
  if each.is_fresh or inserted[parent] then
    redis.call('SADD', dependencies, unpack(each.children))
    return
  end
  local unknown = {}
  for _, child in ipairs(each.children) do
    if not is_recorded(parent, child) then unknown[#unknown + 1] = child end
  end
  if #unknown > 0 and hold_back(all_keys[each.queue].base, each.id, each.timestamp) then
    redis.call('SADD', dependencies, unpack(unknown))
  end
end

for _, each in ipairs(todo) do
  local keys = all_keys[each.queue]
  caps[each.queue] = caps[each.queue] or stream_cap(keys.meta)
  if each.children then
    expect(each)
  else
    local answer = insert(keys, each, woken[each.queue], early)
    answers[#answers + 1] = answer
    if type(answer) == 'string' then inserted[keys.base .. answer] = true end
  end
end
for _, parent in ipairs(to_release) do
  local of = parent_of(parent.key, parent.link)
  if parent.is_early or early[parent.key] then release_parent(queue_keys(of.queueKey .. ':'), of.id, parent.timestamp)
  else release_parent_if_free(parent, parent.timestamp) end
end
for index, keys in ipairs(all_keys) do
  if caps[index] then trim(keys.events, caps[index]) end
  wake_workers(keys, woken[index].ready, woken[index].delayed)
end
local early_keys = {}
for parent in pairs(early) do early_keys[#early_keys + 1] = parent end
return {answers, early_keys}
