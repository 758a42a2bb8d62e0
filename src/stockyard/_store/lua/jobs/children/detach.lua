--- Detaches a child that its parent waits for; a parent that waits for no other goes on.
-- needs: parents
-- keys: home
-- args: job
-- returns: 1, 0 when the parent does not wait for it, JOB_MISSING without the job, PARENT_MISSING without the parent
if redis.call('EXISTS', job) == 0 then return JOB_MISSING end
local link = redis.call('HMGET', job, 'parentKey', 'parent')
local parent = link[1]
if not parent then return 0 end
if redis.call('EXISTS', parent) == 0 then return PARENT_MISSING end
if not give_up_child(parent, link[2], job) then return 0 end
redis.call('HDEL', job, 'parentKey', 'parent')
return 1
