"""Adds, takes, ends, changes, reads and schedules jobs: one module per kind of operation."""
