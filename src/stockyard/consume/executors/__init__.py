"""Where handlers run: in the loop, in threads, in child processes."""
