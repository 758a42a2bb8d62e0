"""Plain values: jobs, options, outcomes, times."""
