"""What a queue arranges of a job while it waits."""

from __future__ import annotations

from stockyard.model.options import JobOptions


class Arranged:
    """The waiting side of a job."""

    __slots__ = ()
    options: JobOptions
    timestamp: int

    @property
    def expires_at(self) -> int | None:
        """When it expires, ms since the epoch by the server's clock, or None: from then on it does not start."""
        return self.options.expiry(self.timestamp)

    @property
    def replaced(self) -> int:
        """How many payloads were replaced by the one that is there, of jobs of its coalescing key."""
        return 0 if self.options.coalesce is None else self.options.coalesce.replaced
