"""Adding jobs and looking at them."""
