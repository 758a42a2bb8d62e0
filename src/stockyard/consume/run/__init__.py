"""Running the jobs in hand."""
