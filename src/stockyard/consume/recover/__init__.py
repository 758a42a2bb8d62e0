"""Bringing back what dead workers left behind."""
