"""Stockyard."""
