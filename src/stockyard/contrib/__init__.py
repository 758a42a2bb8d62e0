"""Integrations with frameworks, each behind an extra of its name."""
