"""Writing how runs ended."""
