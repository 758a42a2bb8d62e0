"""Warns of payloads that are too large for a queue: they cost memory and time at every step of a job."""

from __future__ import annotations

import logging
import time

LARGE_PAYLOAD = 5 * 2**20
"""Bytes of a payload from which a warning is logged."""

_PAUSE = 60.0
"""Seconds between two warnings of one job name."""

_MOST_NAMES = 1000
_log = logging.getLogger(__name__)
_warned: dict[str, float] = {}


def warn_of_large_payload(name: str, size: int) -> None:
    """Log that a job of this name has a payload of so many bytes; once a minute for each name."""
    now = time.monotonic()
    if now - _warned.get(name, -_PAUSE) < _PAUSE:
        return
    if len(_warned) >= _MOST_NAMES:
        _warned.clear()
    _warned[name] = now
    _log.warning(
        "the payload of job %r has %.1f MiB, and travels to the server and to each worker that runs it: store "
        "large data elsewhere and add a reference to it, or refuse such payloads by size_limit",
        name,
        size / 2**20,
    )
