-- Starts jobs of which each may be kept from starting.
-- needs: bulk_transitions gates taking

-- Jobs that one call sets aside.
local MOST_ASIDE = 200

-- Starts what `first` starts by the function that it is given, which returns whether another may start; then what is
-- ready, where `admits` does not set it aside; where that returns nothing, this job and those behind it stay. `first` is
-- called with no room as well. Returns the reply of
-- `finishing.finish` of a call that ends no run, without when to look again; how many were set aside; and whether nothing
-- is ready any more.
local function take_where(keys, base, moment, wanted, first, admits)
  local taking = pass_gates(keys, wanted)
  local rows, started, counted, size, aside, has_more, is_empty, stays = {}, {}, 0, 0, 0, false, false, false
  local function begin(id)
    local row = start(keys, base .. id, id, moment, wanted.worker)
    if row then
      rows[#rows + 1], started[#started + 1] = row, id
      if not row[DEFERRED_AT] then counted = counted + 1 end
      size = size + #(row[DATA_AT] or '') + #(row[PROGRESS_AT] or '') + #(row[STACKTRACE_AT] or '')
    end
    has_more = size >= wanted.most_bytes
    return #started < taking.room and not has_more
  end
  first(begin, taking.room)
  while #started < taking.room and not has_more and not is_empty and not stays do
    local number = taking.room - #started
    local ids, plain, by_priority = pop_ready(keys, number)
    for at, id in ipairs(ids) do
      if has_more or aside >= MOST_ASIDE then
        put_back(keys, ids, at, plain, by_priority)
        has_more = true
        break
      end
      local may_start = admits(id)
      if may_start == nil then
        put_back(keys, ids, at, plain, by_priority)
        stays = true
        break
      end
      if may_start then begin(id) else aside = aside + 1 end
    end
    is_empty = #ids < number and not has_more and not stays
  end
  if is_empty then redis.call('DEL', keys.priority_counter) end
  if #started > 0 then
    lock_all(base, started, wanted)
    to_active(keys, started)
    note_started(keys, taking, counted)
    if size > MUCH then mark_unread(keys.unread, started, rows) end
  end
  local limited = #started == 0 and taking.limited or 0
  return {{}, rows, started, limited, 0, moment, size > MUCH and 1 or 0, has_more and 1 or 0}, aside, is_empty
end
