-- Whether a new job of a key may wait like any other, or waits in the line of its key.
-- needs: key_lines

-- Returns whether it waits in the line; else it stands for its key, and the caller puts it where it waits. `number` is
-- its place in the order of all adds.
local function line_up(batch, given, id, number)
  local base, key, rule = batch.base, given.key, batch.wanted.keys
  batch.names = batch.names or names_of_keys(base)
  -- A job that had the same id of its own may have gone without a word.
  local old = given.id == id and redis.call('HGET', batch.names.keys_heads, id)
  if old then stand_down(batch.names, id, old) end
  local holders = holders_of(batch.names, key)
  if #holders < places_of(rule, key) and redis.call('EXISTS', base .. KEY_LINE .. key) == 0 then
    stand_for(batch.names, id, key, holders)
    return false
  end
  -- A worker whose program does not declare the order finds it here.
  if join_key_line(batch.names, base, id, key, number, given.timestamp) then
    redis.call('SET', base .. KEYED .. 'rule', cmsgpack.pack(rule))
  end
  batch.lined_up = (batch.lined_up or 0) + 1
  return true
end

-- Once for all jobs of a call.
local function count_lined_up(batch)
  if batch.lined_up then redis.call('INCRBY', batch.names.keys_waiting, batch.lined_up) end
end
