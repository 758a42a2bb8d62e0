"""The failed jobs of all queues, grouped by what went wrong, as far as was looked in the time of each look."""

from __future__ import annotations

import time
from collections import deque

from stockyard.dashboard.fingerprints import FailureGroup, grouped
from stockyard.dashboard.views.view import Facts, Look, PageRequest
from stockyard.errors import StockyardError

_FIRST_SECONDS, _STEP_SECONDS = 0.1, 0.4
"""Of the step before a page is shown at all, and of those that follow."""
_PAGE = 100
"""Failed jobs that are read at a time: they may have long traces."""
_MOST = 5_000
"""Failed jobs of a queue that are grouped, the newest first."""


class Grouping:
    """Groups failed jobs from look to look, until the newest of each queue are grouped."""

    def __init__(self, request: PageRequest) -> None:
        self._request = request
        self._only = request.text("queue")
        self._open = deque([self._only] if self._only else request.app.topology.names)
        for name in self._open:
            request.app.queue(name)
        self._groups: dict[str, dict[str, FailureGroup]] = {}
        self._seen: set[str] = set()
        self._looked_at = 0
        self._page = 1
        self._unread: list[str] = []

    async def look(self) -> Facts:
        """Take a step, unless all is grouped."""
        until = time.monotonic() + (_STEP_SECONDS if self._looked_at else _FIRST_SECONDS)
        while self._open and time.monotonic() < until:
            await self._read(self._open[0])
        pairs = [(name, group) for name, groups in self._groups.items() for group in groups.values()]
        return {
            "groups": sorted(pairs, key=lambda pair: (-pair[1].count, -pair[1].last)),
            "looked_at": self._looked_at,
            "most": _MOST,
            "unread": self._unread,
            "queue": self._only,
            "queues": self._request.app.topology.names,
            "is_over": not self._open,
            "is_still": not self._open,
        }

    async def _read(self, name: str) -> None:
        try:
            jobs = await self._request.app.queue(name).get_jobs("failed", page=self._page, size=_PAGE)
        except StockyardError as error:
            self._unread.append(f"{name}: {error}")
            jobs = []
        # Jobs that fail meanwhile push those that were read onto the next page.
        fresh = [job for job in jobs if job.id not in self._seen]
        self._seen.update(job.id for job in fresh)
        grouped(fresh, self._groups.setdefault(name, {}))
        self._looked_at += len(fresh)
        self._page += 1
        if len(jobs) < _PAGE or len(self._seen) >= _MOST:
            self._open.popleft()
            self._seen.clear()
            self._page = 1


def failures(request: PageRequest) -> Look:
    """Open the page; raises UnknownQueue."""
    return Grouping(request).look
