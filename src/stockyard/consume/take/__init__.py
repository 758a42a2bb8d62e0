"""Taking jobs from a queue."""
