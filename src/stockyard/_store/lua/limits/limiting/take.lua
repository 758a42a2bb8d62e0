--- Admits a call under all of its limits, or counts it under none.
-- needs: limit_head limit_states limit_take
-- keys: home
-- args: base now request
-- returns: the wait in us, 0 for an admitted call; the limit that it waits for, empty for a freeze; whether the end of
--   another call may end the wait; whether the limits are to be declared; and MessagePack: of each limit what is used,
--   its amount, and of an admitted call what a later word of it is measured by
local time = limit_now(now)
local wait, cause, ends, views, declared = take_limits(base, cmsgpack.unpack(request), time)
write_states(base, time)
return {wait, cause, ends and 1 or 0, declared and 0 or 1, cmsgpack.pack(views)}
