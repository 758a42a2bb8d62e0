"""Taking jobs and running them."""
