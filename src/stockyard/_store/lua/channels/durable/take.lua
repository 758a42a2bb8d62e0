--- Gives a consumer what nobody of its group was given yet, and what dead consumers left.
-- needs: messages dead_letters consumers
-- keys: home
-- args: base group consumer after fresh claims idle attempts reported is_known
-- returns: fresh messages, as id, text and deliveries one behind the other; claimed ones in the same way; whether
--   there is more to claim; how many the group has missed, and how many of these were reported to it; whether the group
--   was made again; how many became dead letters; the last id that was given to a consumer
local stream, state = base .. 'messages', base .. 'state'
local read_at, missed_at = 'read:' .. group, 'missed:' .. group
local fresh_ones, claimed, is_recreated, dead_lettered, has_more = {}, {}, 0, 0, 0

local function count_of(field) return tonumber(redis.call('HGET', state, field)) or 0 end

local function note(messages, entry, deliveries)
  messages[#messages + 1], messages[#messages + 2] = entry[1], text_of(entry)
  messages[#messages + 1] = deliveries
end

local info = info_of(base, group)
if not info then
  redis.call('XGROUP', 'CREATE', stream, group, after == '' and '$' or after, 'MKSTREAM')
  redis.call('HSET', state, read_at, number_at(base, after == '' and '+' or after))
  if is_known == '1' then is_recreated = 1 end
  info = info_of(base, group)
end
local last = info['last-delivered-id']
if is_known == '0' then forget_gone(base, group, idle) end
note_reported(base, group, reported)

if tonumber(fresh) > 0 then
  local reply = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', fresh, 'STREAMS', stream, '>')
  local entries = reply and reply[1][2] or {}
  -- Where nothing is left to read, all up to the last one published was read or is gone.
  local read, reached = count_of(read_at), count_of('last')
  for _, entry in ipairs(entries) do
    local meant_for = fields_of(entry).g
    last, reached = entry[1], number_of(entry)
    if meant_for and meant_for ~= group then
      redis.call('XACK', stream, group, entry[1])
    else
      note(fresh_ones, entry, 1)
    end
  end
  local missed = reached - read - #entries
  if missed > 0 then redis.call('HINCRBY', state, missed_at, missed) end
  if missed < 0 then is_recreated = 1 end
  if reached ~= read then redis.call('HSET', state, read_at, reached) end
end

if tonumber(claims) > 0 then
  local size = claims + 20
  local page = redis.call('XPENDING', stream, group, 'IDLE', idle, '-', '+', size)
  if #page == size then has_more = 1 end
  for _, held in ipairs(page) do
    local id, deliveries = held[1], held[4]
    if not is_kept(base, id) then
      count_missed(base, group, id)
    elseif deliveries >= tonumber(attempts) then
      dead_letter(base, group, id, deliveries, 'not acknowledged by those it was delivered to')
      dead_lettered = dead_lettered + 1
    elseif #claimed == 3 * claims then
      has_more = 1
      break
    else
      note(claimed, redis.call('XCLAIM', stream, group, consumer, 0, id)[1], deliveries + 1)
    end
  end
end

return {
  fresh_ones, claimed, has_more, count_of(missed_at), count_of('reported:' .. group), is_recreated, dead_lettered, last,
}
