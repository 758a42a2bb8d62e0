-- Where a job is.

local function state_of(keys, id)
  if redis.call('ZSCORE', keys.completed, id) then return 'completed' end
  if redis.call('ZSCORE', keys.failed, id) then return 'failed' end
  if redis.call('ZSCORE', keys.delayed, id) then return 'delayed' end
  if redis.call('ZSCORE', keys.prioritized, id) then return 'prioritized' end
  if redis.call('ZSCORE', keys.waiting_children, id) then return 'waiting-children' end
  if redis.call('LPOS', keys.active, id) then return 'active' end
  if redis.call('LPOS', keys.wait, id) then return 'waiting' end
  if redis.call('LPOS', keys.paused, id) then return 'waiting' end
  return 'unknown'
end
