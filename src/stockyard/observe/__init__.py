"""Health and alerts."""
