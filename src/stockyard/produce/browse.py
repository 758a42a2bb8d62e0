"""What readers ask of a queue: its jobs, their counts."""

from __future__ import annotations

from typing import Any

from stockyard._store import reading
from stockyard._store.link import QueueLink
from stockyard._store.rows import stored_job
from stockyard.errors import InvalidOption
from stockyard.model.job import Job, JobPort, JobState

LISTED_STATES = tuple(state for state in JobState if state is not JobState.UNKNOWN)


class QueueBrowser:
    """The read side of a queue."""

    name: str
    _link: QueueLink
    _jobs: JobPort

    async def get_job(self, job_id: str) -> Job[Any] | None:
        """Return a job as it is now, or None when there is none of that id."""
        return await self._jobs.get_job(job_id)

    async def get_jobs(
        self, state: JobState | str, *, page: int = 1, size: int = 50, newest_first: bool = True
    ) -> list[Job[Any]]:
        """Return one page of the jobs in a state.

        Args:
            state: ``"waiting"``, ``"prioritized"``, ``"active"``, ``"delayed"``, ``"completed"``,
                ``"failed"`` or ``"waiting-children"``.
            page: from 1.
            size: jobs of a page, 1 to 1000. Defaults to 50.
            newest_first: False starts with the oldest (or the next to run).

        Raises:
            InvalidOption: the state is not known, or page or size is out of range.
        """
        if state not in LISTED_STATES:
            raise InvalidOption(f"state must be one of {', '.join(LISTED_STATES)}; got {state!r}")
        if page < 1 or not 1 <= size <= 1000:
            raise InvalidOption(f"page must be 1 or more and size 1 to 1000; got page {page!r}, size {size!r}")
        first = (page - 1) * size
        rows = await reading.read_page(self._link, str(state), first, first + size - 1, newest_first=newest_first)
        return [stored_job(row, self.name, self._jobs) for row in rows]

    async def counts(self) -> dict[JobState, int]:
        """Return how many jobs are in each state; ``waiting`` leaves out the prioritized ones here."""
        (facts,) = await reading.read_facts([self._link])
        return {
            JobState.WAITING: facts.wait + facts.legacy_paused,
            JobState.PRIORITIZED: facts.prioritized,
            JobState.ACTIVE: facts.active,
            JobState.DELAYED: facts.delayed,
            JobState.WAITING_CHILDREN: facts.waiting_children,
            JobState.COMPLETED: facts.completed,
            JobState.FAILED: facts.failed,
        }
