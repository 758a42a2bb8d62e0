--- Appends a line to a job's log; keeps the last so many if the job asks for that.
-- needs: decoding
-- keys: home
-- args: job line
-- returns: how many lines there are, or JOB_MISSING when the job does not exist
local options = redis.call('HGET', job, 'opts')
if not options and redis.call('EXISTS', job) == 0 then return JOB_MISSING end
-- What a running job says of itself a full server must take: its end makes room.
if redis.call('EXISTS', job .. LOCK) == 1 then redis.call('HDEL', job, '') end
local lines = redis.call('RPUSH', job .. LOGS, line)
local keep = tonumber(decode_object(options).kl)
if keep and keep > 0 and lines > keep then
  redis.call('LTRIM', job .. LOGS, -keep, -1)
  return keep
end
return lines
