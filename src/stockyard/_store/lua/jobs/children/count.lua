--- Counts a job's children by what became of them.
-- keys: home
-- args: job
-- returns: how many were processed, are unprocessed, were ignored, and failed
return {
  redis.call('HLEN', job .. PROCESSED), redis.call('SCARD', job .. DEPENDENCIES),
  redis.call('HLEN', job .. IGNORED), redis.call('ZCARD', job .. UNSUCCESSFUL),
}
