--- Counts a job's children by what became of them.
-- keys:
-- args: job
-- returns: how many were processed, are unprocessed, were ignored, and failed
return {
  redis.call('HLEN', job .. ':processed'), redis.call('SCARD', job .. ':dependencies'),
  redis.call('HLEN', job .. ':failed'), redis.call('ZCARD', job .. ':unsuccessful'),
}
