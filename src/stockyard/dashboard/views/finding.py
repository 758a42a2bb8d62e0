"""The search for jobs over all queues."""

from __future__ import annotations

from stockyard.dashboard.searching import Place, search_step
from stockyard.dashboard.views.view import Facts, Look, PageRequest
from stockyard.produce.search import FoundJob

_FIRST_SECONDS, _STEP_SECONDS = 0.1, 0.5
"""Of the step before a page is shown at all, and of those that follow."""
MOST_HITS = 100
"""After which a search waits for the person to go on."""


class Searching:
    """A search that goes on from look to look, until all was looked at or enough was found."""

    def __init__(self, request: PageRequest) -> None:
        names = [request.text("queue")] if request.text("queue") else list(request.app.topology.names)
        self._request = request
        self._text = request.text("q").strip()
        self._queues = [request.app.queue(name) for name in names]
        self._place: Place | None = Place.read(request.text("after"))
        self._hits: list[FoundJob] = []
        self._looked_at = 0
        self._total = 0

    async def look(self) -> Facts:
        """Take a step, unless the search is over or has found enough."""
        goes_on = bool(self._text) and self._place is not None and len(self._hits) < MOST_HITS
        if goes_on and self._place is not None:
            if not self._total:
                health = await self._request.app.health(*(queue.name for queue in self._queues))
                self._total = sum(
                    each.waiting
                    + each.active
                    + each.delayed
                    + each.completed
                    + each.failed
                    + each.waiting_children
                    for each in health
                )
            left = MOST_HITS - len(self._hits)
            seconds = _STEP_SECONDS if self._looked_at else _FIRST_SECONDS
            step = await search_step(self._queues, self._text, self._place, seconds=seconds, most=left)
            known = {(each.job.queue, each.job.id) for each in self._hits}
            self._hits += [each for each in step.found if (each.job.queue, each.job.id) not in known]
            self._looked_at += step.looked_at
            self._place = step.following
        return {
            "text": self._text,
            "q": self._text,
            "queue": self._request.text("queue"),
            "queues": self._request.app.topology.names,
            "hits": self._hits,
            "looked_at": self._looked_at,
            "total": self._total,
            "is_over": self._place is None,
            "is_full": len(self._hits) >= MOST_HITS and self._place is not None,
            "after": self._place,
            "is_still": not self._text,
        }


def search(request: PageRequest) -> Look:
    """Open the search."""
    return Searching(request).look
