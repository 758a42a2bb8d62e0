"""A queue as its producers and readers see it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Unpack

from stockyard._aio.per_loop import PerLoop
from stockyard._aio.portal import Portal
from stockyard._store import reading
from stockyard._store.adding import BATCH, NewJob, new_job
from stockyard._store.link import QueueLink
from stockyard._store.rows import stored_job
from stockyard.errors import InvalidOption
from stockyard.model.job import Job, JobPort, JobState
from stockyard.model.options import AddOptions, JobOptions, is_text, shown
from stockyard.model.payload import encode_payload
from stockyard.produce.batcher import Batcher
from stockyard.topology import QueueSpec

JobTuple = tuple[str] | tuple[str, Any] | tuple[str, Any, Mapping[str, Any]]
"""A job for ``add_many``: its name, its payload, its options; the last two may be left out."""

LISTED_STATES = tuple(state for state in JobState if state is not JobState.UNKNOWN)


class Queue:
    """One queue: add jobs, look at them, count them.

    Made by ``App.queue``; it opens connections at the first call and may be used from several loops.
    """

    def __init__(self, spec: QueueSpec, *, link: QueueLink, jobs: JobPort, portal: Portal) -> None:
        self.spec = spec
        self.name = spec.name
        self._link = link
        self._jobs = jobs
        self._portal = portal
        self._batchers = PerLoop(lambda: Batcher(link))

    @property
    def sync(self) -> Any:
        """This queue for code without a running loop: ``queue.sync.add(...)`` blocks until it is done."""
        return self._portal.blocking(self)

    async def add(self, name: str, data: Any = None, **options: Unpack[AddOptions]) -> Job[Any]:
        """Add one job; calls of the same turn of the loop travel together.

        Args:
            name: chooses the handler.
            data: any JSON-able value, Struct, dataclass or pydantic model. Defaults to an empty object.
            options: see ``AddOptions``; what is left out takes the queue's default.

        Returns:
            The job; if its ``job_id`` exists already, nothing is added and the job has that id.

        Raises:
            InvalidOption: an option is unknown or out of its range.
            PayloadError: the payload is not JSON-able.
            ServerUnavailable: the server could not be reached within the call timeout; nothing was added.
            ReplyLost: it was sent and not answered; add it again under the same ``job_id`` to be sure.
        """
        chosen = self.spec.defaults.merged(**options) if options else self.spec.defaults
        sent = self._checked(name, data, chosen)
        return self._added(await self._batchers.get().add(sent), name, data, chosen, sent)

    async def add_many(self, jobs: Iterable[JobTuple]) -> list[Job[Any]]:
        """Add many jobs, batch behind batch, in the order given; all are checked before any is sent.

        Args:
            jobs: tuples of name, payload and options: ``[("price", {"symbol": "A"}, {"priority": 5}), …]``.

        Raises:
            The errors of ``add``.
        """
        checked = [self._checked_tuple(each) for each in jobs]
        if not checked:
            return []
        batcher = self._batchers.get()
        added: list[Job[Any]] = []
        for at in range(0, len(checked), BATCH):
            # One batch at a time: a flood of adds leaves the server to others in between.
            batch = checked[at : at + BATCH]
            answers = await asyncio.gather(*(batcher.add(sent) for *_, sent in batch), return_exceptions=True)
            for answer, (name, data, options, sent) in zip(answers, batch, strict=True):
                if isinstance(answer, BaseException):
                    raise answer
                added.append(self._added(answer, name, data, options, sent))
        return added

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

    def _checked(self, name: str, data: Any, options: JobOptions) -> NewJob:
        if not is_text(name):
            raise InvalidOption(f"a job's name must be non-empty text; got {name!r}")
        text = "{}" if data is None else encode_payload(data, what="the payload of", of=name).decode()
        return new_job(name, text, options, self._link.clock())

    def _checked_tuple(self, given: JobTuple) -> tuple[str, Any, JobOptions, NewJob]:
        if not isinstance(given, tuple) or not 1 <= len(given) <= 3 or not _are_options(given[2:]):
            raise InvalidOption(f"add_many takes tuples (name, data, options); got {shown(given)}")
        name = given[0]
        data = given[1] if len(given) > 1 else None
        options = self.spec.defaults
        if len(given) > 2:
            options = options.merged(**given[2])
        return name, data, options, self._checked(name, data, options)

    def _added(self, job_id: str, name: str, data: Any, options: JobOptions, sent: NewJob) -> Job[Any]:
        return Job(
            job_id, name, data, options, self.name, sent.timestamp, self._jobs, options.priority, options.delay_ms
        )


def _are_options(rest: tuple[Any, ...]) -> bool:
    return not rest or (isinstance(rest[0], Mapping) and all(isinstance(name, str) for name in rest[0]))
