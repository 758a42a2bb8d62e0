-- What is written once of an attempt at an effect: one field, as each field of a hash is looked for among all before it.

-- Joined by hand: a format costs as much as a command.
local function begun_as(starts, attempt, first, started, deadline, payload)
  return starts .. ' ' .. attempt .. ' ' .. first .. ' ' .. started .. ' ' .. deadline .. ' ' .. payload
end
