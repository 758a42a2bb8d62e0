--- Brings up to date what a finished job would wait for when it is retried, some children at a time.
-- needs: retrying
-- keys: home
-- args: job cursor
-- returns: the cursor to go on with, '0' at the end
return settle_children(job, cursor)
