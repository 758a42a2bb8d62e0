"""What readers ask of a queue: its jobs, their counts, its settings, who works on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from stockyard._store import clients
from stockyard._store.jobs import indexing, positions, reading, versioning
from stockyard._store.jobs.rows import stored_job
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.snapshots import (
    Canary,
    JobPosition,
    PayloadVersion,
    QueueMetrics,
    QueueSettings,
    VersionJobs,
    WorkerInfo,
)
from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.job import Job, JobPort, JobState
from stockyard.model.options import MAX_PRIORITY
from stockyard.produce.prometheus import exposition
from stockyard.produce.search import SEARCHED_STATES, SearchedPart, SearchStep, search
from stockyard.topology import QueueSpec

LISTED_STATES = tuple(state for state in JobState if state is not JobState.UNKNOWN)


class QueueBrowser:
    """The read side of a queue."""

    name: str
    spec: QueueSpec
    _keyspace: QueueKeyspace
    _jobs: JobPort

    async def get_job(self, job_id: str) -> Job[Any] | None:
        """Return a job as it is now, or None when there is none of that id.

        Raises:
            InvalidOption: the id is no text.
        """
        return await self._jobs.get_job(job_id)

    async def position(self, job_id: str) -> JobPosition:
        """Return how many jobs start before one that waits, and when it starts at the rate of the last minutes.

        Raises:
            InvalidOption: the id is no text.
        """
        return await positions.read_position(self._keyspace, checks.text("job_id", job_id))

    async def get_jobs(
        self,
        state: JobState | str | Iterable[JobState | str],
        *,
        page: int = 1,
        size: int = 50,
        newest_first: bool = True,
    ) -> list[Job[Any]]:
        """Return one page of the jobs in a state, or in several, one after the other.

        Of the waiting jobs, those in the lines of their keys start after all others: they are the first of the
        newest, and the last of the oldest.

        Args:
            state: ``"waiting"``, ``"prioritized"``, ``"active"``, ``"delayed"``, ``"completed"``,
                ``"failed"`` or ``"waiting-children"``, or several of them.
            page: from 1.
            size: jobs of a page, 1 to 1000. Defaults to 50.
            newest_first: False starts each state with its oldest (or the next to run).

        Raises:
            InvalidOption: a state is not known, or page or size is out of range.

        An id whose record is gone, or is no record of a job, is passed over: the page is filled with those that
        follow.
        """
        states = listed_states([state] if isinstance(state, str) else state)
        checks.whole("page", page, least=1)
        checks.whole("size", size, least=1, most=1000)
        records = await reading.read_page(
            self._keyspace, states, (page - 1) * size, size, newest_first=newest_first
        )
        return [stored_job(record, self.name, self._jobs) for record in records]

    def _now(self) -> int:
        return self._keyspace.clock()

    async def _parts(self) -> Sequence[SearchedPart]:
        return (self,)

    async def _read_part(
        self, state: str, place: reading.PagePlace, size: int
    ) -> tuple[list[Job[Any]], reading.PagePlace | None]:
        """Return some jobs of a state, the newest first, and where the next begin; None at the end."""
        records, following = await reading.read_part(self._keyspace, [state], place, size, newest_first=True)
        return [stored_job(record, self.name, self._jobs) for record in records], following

    async def _read_index(
        self, path: str, value: str, place: reading.PagePlace, size: int
    ) -> tuple[list[Job[Any]], reading.PagePlace | None]:
        """Return some jobs that the index has under a value, the newest first; the place as above."""
        records, skip = await indexing.read(self._keyspace, path, value, place.skip, size)
        jobs = [stored_job(record, self.name, self._jobs) for record in records]
        return jobs, None if skip is None else reading.PagePlace(skip=skip)

    async def _in_index(self, path: str, value: str, jobs: Sequence[Job[Any]]) -> list[bool]:
        """Say of each job whether the index has it under a value."""
        return await indexing.find_noted(self._keyspace, path, value, [(job.timestamp, job.id) for job in jobs])

    async def search(
        self,
        text: str,
        *,
        states: Iterable[JobState | str] = SEARCHED_STATES,
        after: str | None = None,
        seconds: float = 0.5,
        count: int = 100,
    ) -> SearchStep:
        """Look for jobs by id, name, error or payload; return what one step has found, and where the next begins.

        A value that the queue declares by ``indexed`` is looked up first: the first step has those jobs. The steps
        behind it look at all others, as those that Node has added. A job that starts or ends meanwhile is found,
        at times twice; one that is put back to wait may be passed over.

        Args:
            text: ``"id:17"``, ``"name:submit"``, ``"error:margin"``, ``"data.symbol:BTCUSDT"`` for exactly this
                value there, ``"correlation:order-7"`` for the jobs of one story, or other text: a job of that id,
                and jobs that have it in their id, name or payload.
            states: which to look through. Defaults to all.
            after: what a step of the same search returned. Defaults to None: begin.
            seconds: after which a step reads no other page. Defaults to 0.5.
            count: jobs after which it reads no other page. Defaults to 100.

        Raises:
            InvalidOption: an argument is out of its range, or the text is empty.

        Example:
            step = await queue.search("data.order_id:A1")
            while step.after is not None and not step.found:
                step = await queue.search("data.order_id:A1", after=step.after)
        """
        checks.text("text", text)
        checks.number("seconds", seconds, least=0)
        checks.whole("count", count, least=1)
        return await search(
            self, text, listed_states(states), after, seconds=seconds, count=count, indexed=self.spec.indexed
        )

    async def counts(self) -> dict[JobState, int]:
        """Return how many jobs are in each state; ``waiting`` leaves out the prioritized ones here.

        Raises:
            ServerRefused: another program has written over a key of the queue, or the user may not read it.
        """
        (facts,) = await reading.read_facts([self._keyspace])
        return counts_of(facts.sound(self.name))

    async def count(self, *states: JobState | str) -> int:
        """Return how many jobs are in some states together; without any, in all.

        Raises:
            InvalidOption: a state is not known.
        """
        wanted = listed_states(states) if states else LISTED_STATES
        counts = await self.counts()
        return sum(counts[JobState(each)] for each in wanted)

    async def counts_per_priority(self, priorities: Iterable[int]) -> dict[int, int]:
        """Return how many jobs wait with each of these priorities; 0 is those without one.

        Jobs in the lines of their keys are not among them: priorities decide between keys, not within one.

        Raises:
            InvalidOption: a priority is out of its range, or the jobs of the queue age.
        """
        if self.spec.arrangement is not None and self.spec.arrangement.aging_ms:
            raise InvalidOption(
                f"the jobs of queue {self.name!r} cannot be counted by priority: the scores of a queue with aging "
                "say when, not how urgent"
            )
        asked = tuple(dict.fromkeys(checks.several("priorities", priorities, of="whole numbers")))
        for each in asked:
            checks.whole("priority", each, most=MAX_PRIORITY)
        return dict(zip(asked, await reading.count_by_priority(self._keyspace, asked), strict=True))

    async def is_paused(self) -> bool:
        """Say whether the queue is paused."""
        return await reading.is_paused(self._keyspace)

    async def settings(self) -> QueueSettings:
        """Return the settings that all workers of the queue respect."""
        return await reading.read_settings(self._keyspace)

    async def rate_limit_left_ms(self, limit: int | None = None) -> int:
        """Return how long no job starts because of a rate: milliseconds, 0 when jobs start.

        Args:
            limit: jobs of a window, if not the queue's own, as for a worker with another rate. Defaults to the
                rate that was set for all workers, else to the declared one.
        """
        own, counted, left = await reading.read_limit(self._keyspace)
        declared = self.spec.rate.max if self.spec.rate else 0
        return max(left, 0) if counted >= (limit or own or declared) else 0

    async def deduplication_owner(self, dedup_id: str) -> str | None:
        """Return the id of the job under which others of a deduplication id are dropped, or None."""
        return await reading.read_owner(self._keyspace, checks.text("dedup_id", dedup_id))

    async def workers(self) -> list[WorkerInfo]:
        """Return the workers that are connected, Node's and ours alike.

        Raises:
            ServerRefused: the server's user may not list connections.
        """
        return await clients.read_workers(self._keyspace)

    async def versions(self) -> list[PayloadVersion]:
        """Return the payload versions that were seen, with the jobs that wait for a worker of theirs.

        Jobs that wait in the queue itself are not among them: a worker finds out when it comes to one.
        """
        return await versioning.read_versions(self._keyspace)

    async def count_versions(self) -> list[VersionJobs]:
        """Count the jobs that have not ended by their payload version; looks at each of them, 500 a call.

        Versions that were seen and of which nothing is left are there with 0. Where ``is_drained`` is true, no
        job of the version waits, is delayed, runs, or waits for its children or for others of its key.
        """
        found, _ = await versioning.count_versions(self._keyspace)
        return found

    async def canary(self) -> Canary | None:
        """Return the release whose workers run a share of the jobs, or None where none is set."""
        return (await versioning.read_version_facts(self._keyspace)).canary

    async def metrics(
        self, kind: Literal["completed", "failed"] = "completed", start: int = 0, end: int = -1
    ) -> QueueMetrics:
        """Return how many jobs ended in each minute, newest first.

        Args:
            kind: how they ended. Defaults to ``"completed"``.
            start, end: places of the first and last minute, inclusive; 0 is the newest, -1 the oldest.

        Raises:
            InvalidOption: the kind is neither, or a place is no whole number.
        """
        checks.one_of("kind", kind, ("completed", "failed"))
        first, last = checks.place("start", start), checks.place("end", end)
        return await reading.read_metrics(self._keyspace, kind, first, last)

    async def prometheus(self, labels: Mapping[str, str] | None = None) -> str:
        """Return the queue's numbers as text for Prometheus, under BullMQ's names.

        Args:
            labels: more labels for every line.

        Raises:
            InvalidOption: a label's name is none, or taken.
        """
        (read,) = await reading.read_facts([self._keyspace])
        facts = read.sound(self.name)
        counts = {state.value: count for state, count in counts_of(facts).items()}
        return exposition(self.name, counts, facts.counted_completed, facts.counted_failed, labels or {})


def listed_states(given: Iterable[JobState | str]) -> list[str]:
    """Return the names of states that are asked for, each once; raises InvalidOption."""
    states = list(dict.fromkeys(str(each) for each in checks.several("state", given, of="states")))
    for each in states:
        checks.one_of("state", each, LISTED_STATES)
    if not states:
        raise InvalidOption(f"expected one state or more of {', '.join(LISTED_STATES)}; got none")
    return states


def counts_of(facts: reading.QueueFacts) -> dict[JobState, int]:
    """Return how many jobs are in each state."""
    return {
        JobState.WAITING: facts.wait + facts.legacy_paused + facts.in_lines,
        JobState.PRIORITIZED: facts.prioritized,
        JobState.ACTIVE: facts.active,
        JobState.DELAYED: facts.delayed,
        JobState.WAITING_CHILDREN: facts.waiting_children,
        JobState.COMPLETED: facts.completed,
        JobState.FAILED: facts.failed,
    }
