"""The error of a run that took too long, in the same words on every executor."""

from __future__ import annotations

from stockyard.errors import JobTimeout


def timed_out(seconds: float) -> JobTimeout:
    """Return the error of a run that was stopped after so many seconds."""
    return JobTimeout(f"timed out after {seconds * 1000:.0f} ms")
