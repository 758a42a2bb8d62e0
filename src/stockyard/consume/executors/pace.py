"""How many jobs a child may be given at a time, by how long its jobs have taken."""

from __future__ import annotations

MOST = 8
"""Jobs in the pipe of one child at most, the one that runs included."""

_SECONDS = 0.05
"""What the jobs in one pipe take together, so that the last of them does not wait longer."""

_SHARE = 0.1
"""Weight of the latest job."""


class Pace:
    """The mean time of the latest jobs of a pool; until some were quick, they count as slow."""

    def __init__(self) -> None:
        self._seconds = 2 * _SECONDS

    def note(self, seconds: float) -> None:
        """Count a job that ran for so long."""
        self._seconds += _SHARE * (seconds - self._seconds)

    @property
    def depth(self) -> int:
        """How many jobs to give to a child at a time; 1 where they are not quick."""
        if self._seconds * MOST <= _SECONDS:
            return MOST
        return max(int(_SECONDS / self._seconds), 1)
