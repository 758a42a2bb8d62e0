"""Reads, writes and tracks the entries of caches."""
