"""Taking jobs by hand: without handlers, and without a loop that runs them."""
