"""Leases: a process beside this one renews the locks of running jobs and of cache loads."""
