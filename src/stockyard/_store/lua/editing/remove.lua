--- Removes a job and, if asked, all below it, unless a worker runs one of them: places, records, ties.
-- parts: decoding events markers placing removing parents next_runs families
-- keys: repeat_set
-- args: base id with_children
-- returns: how many were removed, 0 when a worker holds one, -1 without such a job, -8 for a schedule's next run
local job = base .. id
if is_next_run(repeat_set, id, redis.call('HGET', job, 'rjk')) then return -8 end
local children_of = with_children == '1' and all_children or no_children
if is_held(job, children_of) then return 0 end
local removed = remove_family(base, id, children_of, {})
return removed > 0 and removed or -1
