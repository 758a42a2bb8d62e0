"""Our measured sides: each is run as a process and answers in one JSON line."""
