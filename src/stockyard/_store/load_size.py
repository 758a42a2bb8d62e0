"""How much one call carries: less after a reply was lost, and more again while replies come."""

from __future__ import annotations

MOST_JOBS = 50
"""Jobs added, or runs written and jobs started, by one call: about a millisecond of the server."""

MOST_BYTES = 1_000_000
"""Bytes that one call carries, but for a single larger job or result: an eighth of a second at 8 MB/s."""

_LEAST_BYTES = 32_768


class LoadSize:
    """The limits of the next call.

    Attributes:
        jobs: how many jobs or runs at most.
        bytes: how large they are together at most; a single one may be larger.
    """

    __slots__ = ("bytes", "jobs")

    def __init__(self) -> None:
        self.jobs: int = MOST_JOBS
        self.bytes: int = MOST_BYTES

    def shrink(self) -> None:
        """A reply was lost: the next call carries half as much."""
        self.jobs = max(self.jobs // 2, 1)
        self.bytes = max(self.bytes // 2, _LEAST_BYTES)

    def grow(self) -> None:
        """A reply came: the next call carries twice as much again, up to the full size."""
        if self.jobs < MOST_JOBS or self.bytes < MOST_BYTES:
            self.jobs = min(self.jobs * 2, MOST_JOBS)
            self.bytes = min(self.bytes * 2, MOST_BYTES)
