"""What operators do to a queue as a whole."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from stockyard._store.jobs import managing, versioning
from stockyard._store.jobs.event_decoding import OWN_EVENTS
from stockyard._store.jobs.managing import EventLimits
from stockyard._store.jobs.streams import NAME_FIELD
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from stockyard._store.snapshots import Canary
from stockyard.errors import InvalidOption, QueueStateError
from stockyard.model import checks
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.job import ENDED_STATES, JobPort, JobState
from stockyard.model.options import checked_version
from stockyard.topology import QueueSpec, Rate

_CLEANED = tuple(str(state) for state in JobState if state is not JobState.UNKNOWN)


class QueueAdmin:
    """The administration of a queue."""

    name: str
    spec: QueueSpec
    _keyspace: QueueKeyspace
    _jobs: JobPort

    async def pause(self) -> None:
        """Let no job start, on any worker, until ``resume``; jobs that run go on, adding too."""
        await managing.pause(self._keyspace)

    async def resume(self) -> None:
        """Let jobs start again; what a BullMQ 5 set aside when it paused the queue waits again first.

        Raises:
            QueueStateError: a halt, or its circuit breaker, holds the queue: ``App.resume`` ends that.
        """
        if not await managing.resume(self._keyspace):
            raise QueueStateError(
                self.name,
                f"queue {self.name!r} is halted, and not merely paused: see why by `stockyard halts`, and "
                "resume it by app.resume() or `stockyard resume`",
            )

    async def set_concurrency(self, limit: int | None) -> bool:
        """Bound how many jobs run at a time over all workers of all processes; say whether the bound has changed.

        Args:
            limit: 1 or more; None takes the bound off. What runs beyond a new bound goes on.

        Raises:
            InvalidOption: the limit is no whole number of 1 or more.
        """
        if limit is not None:
            checks.whole("limit", limit, least=1, hint="None takes the bound off, pause() stops all")
        return await managing.set_concurrency(self._keyspace, limit)

    async def set_rate(self, rate: Rate | str | None) -> bool:
        """Bound how many jobs start in a time over all workers of all processes; say whether that has changed.

        Args:
            rate: as in ``"100/s"`` or ``"6000/1m"``; None takes the bound off. Of a worker that has a rate of its
                own, as the queue's declaration gives it, the window stays and the number is this one.

        Raises:
            InvalidOption: it is no rate.
        """
        return await managing.set_rate(self._keyspace, None if rate is None else Rate.of(rate))

    async def rate_limit(self, duration: Duration) -> None:
        """Let no job start for so long, as when an API reports that its limit is reached.

        BullMQ's own workers respect it only when they or the queue have a rate.

        Args:
            duration: how long from now; more than 0.

        Raises:
            InvalidOption: it is no duration.
        """
        await managing.pause_for(self._keyspace, checks.positive_ms("duration", duration))

    async def clear_rate_limit(self) -> bool:
        """Begin a new window of the rate limit, and end what ``rate_limit`` began; say whether there was one."""
        return await managing.clear_rate_limit(self._keyspace)

    async def set_canary(self, version: int, share: float) -> Canary | None:
        """Let workers of one release run a share of the jobs of older payload versions; return what held before.

        All jobs of one key are of the same side, and a larger share takes none back. Jobs of that version or newer
        are not divided. A side of which no worker was heard of for a minute leaves its jobs to the other one.

        Args:
            version: the ``version`` that the release declares for this queue.
            share: of the keys, or of the jobs without a key; from 0, which is none, to 1, which is all.

        Raises:
            InvalidOption: one of them is out of its range, or the queue has no payload versions.
        """
        checked_version("version", version)
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise InvalidOption(
                f"share must be a number from 0 to 1, as in 0.05 for 5 percent; got {checks.shown(share)}"
            )
        if not self.spec.versions and not await versioning.read_versions(self._keyspace):
            raise InvalidOption(
                f"queue {self.name!r} declares no version, and no worker that does has asked for its jobs: "
                "declare it with version=1 first, and replace its workers"
            )
        return await versioning.set_canary(self._keyspace, Canary(version, float(share)))

    async def clear_canary(self) -> Canary | None:
        """Let every worker run what it understands; return the canary that was set before, or None."""
        return await versioning.set_canary(self._keyspace, None)

    async def drain(self, *, delayed: bool = False) -> int:
        """Remove the jobs that wait, and return how many; those that run, have ended or await children stay.

        The next runs of schedules stay too. A parent in this queue that waited for a removed job alone goes with
        it; in another queue it is released. If there were any, ``Cleaned`` events say so.

        Args:
            delayed: remove the delayed jobs as well. Defaults to False.

        Raises:
            InvalidOption: ``delayed`` is neither True nor False.
        """
        return await managing.drain(self._keyspace, delayed=checks.flag("delayed", delayed))

    async def clean(self, state: JobState | str, *, older_than: Duration = 0, limit: int = 0) -> list[str]:
        """Remove jobs of one state, the oldest first; return their ids.

        Args:
            state: any but ``"unknown"``. Of the active ones only those go that no worker holds.
            older_than: how long at least they have been there: since their end if they have ended, else since
                they started or were added. Defaults to 0, which is all.
            limit: how many at most. Defaults to 0, no limit.

        Raises:
            InvalidOption: the state is not known, or the duration or the limit is none.
        """
        checks.one_of("state", state, _CLEANED)
        checks.whole("limit", limit)
        await self._keyspace.learn_time()
        latest = self._keyspace.clock() - milliseconds(older_than, option="older_than")
        return await managing.clean(self._keyspace, str(state), latest, limit)

    async def obliterate(self, *, force: bool = False) -> None:
        """Remove the queue with everything of it: jobs in every state, schedules, events, settings.

        It is paused first. The whole server's keys are looked through for what no list leads to any more, so
        this may take a while on a server that holds much else.

        Args:
            force: even if jobs are running, whose results are lost; and with its effects, which are kept else.
                Defaults to False.

        Raises:
            InvalidOption: ``force`` is neither True nor False.
            QueueStateError: jobs are running (nothing was removed then), or the queue was resumed meanwhile.
        """
        code = await managing.obliterate(self._keyspace, force=checks.flag("force", force))
        if code == ReplyCode.JOBS_ACTIVE:
            raise QueueStateError(
                self.name, f"queue {self.name!r} has running jobs: let them end, or obliterate it with force=True"
            )
        if code == ReplyCode.QUEUE_RESUMED:
            raise QueueStateError(
                self.name,
                f"queue {self.name!r} was resumed meanwhile and is gone only in part: obliterate it again",
            )

    async def retry_all(
        self, state: JobState | str = JobState.FAILED, *, limit: int | None = None, before: datetime | None = None
    ) -> int:
        """Put finished jobs back to wait, the oldest first, by their own priority; return how many.

        Jobs that have expired stay as they are: a worker would drop them.

        Args:
            state: ``"failed"``, the default, or ``"completed"``.
            limit: how many at most. Defaults to None, all.
            before: only what had ended by then; needs a time zone. Defaults to now.

        Raises:
            InvalidOption: the state is another, the limit is no whole number, or the time has no zone.
        """
        checks.one_of("state", state, ENDED_STATES)
        if limit is not None:
            checks.whole("limit", limit, hint="None is all of them")
        await self._keyspace.learn_time()
        latest = self._keyspace.clock() if before is None else _moment(before)
        return await managing.retry_all(self._keyspace, str(state), latest, limit)

    async def promote_all(self) -> int:
        """Let the jobs that are delayed run now, by their own priority; return how many."""
        return await managing.promote_all(self._keyspace)

    async def remove(self, job_id: str, *, children: bool = True) -> None:
        """Remove one job, its logs and its place in the queue.

        Args:
            job_id: its id.
            children: remove all below it as well, in whatever queues they are. Defaults to True.

        Raises:
            InvalidOption: the id is no text, or ``children`` is neither True nor False.
            JobNotFound: there is no such job.
            JobLocked: a worker is running it, or one below it; nothing was removed.
            JobStateError: it is the next run of a schedule.
        """
        await self._jobs.remove(job_id, children=children)

    async def cancel(self, job_id: str, reason: str = "") -> None:
        """Fail a job without a retry, in whatever state it is before its end; see ``Job.cancel``.

        Args:
            job_id: its id.
            reason: why, for the job's record. Defaults to none.

        Raises:
            InvalidOption: the id or the reason is no text.
            JobNotFound: there is no such job.
            JobStateError: it has ended.
        """
        await self._jobs.cancel(checks.text("job_id", job_id), reason)

    async def release_deduplication(self, dedup_id: str, *, owner: str | None = None) -> bool:
        """Free a deduplication id, so that the next job under it is added; say whether it was freed.

        Args:
            dedup_id: the id.
            owner: id of a job: only if this job has it, and not one that was added since. Defaults to any job.

        Raises:
            InvalidOption: an id is no text.
        """
        if owner is not None:
            checks.text("owner", owner)
        return await managing.release_deduplication(self._keyspace, checks.text("dedup_id", dedup_id), owner)

    async def trim_events(self, length: int) -> int:
        """Cut the queue's event stream to about its last ``length`` entries; return how many went.

        Raises:
            InvalidOption: the length is no whole number of 0 or more.
        """
        checks.whole("length", length)
        return await managing.trim_events(self._keyspace, length)

    async def set_event_limits(self, *, entries: int | None = None, size: int | None = None) -> bool:
        """Bound the queue's event stream, for all workers and from now on; say whether a bound has changed.

        What is left out stays as it is.

        Args:
            entries: about so many events are kept; 1 or more. A queue begins with 10,000. BullMQ's own ``Queue``
                sets this again whenever it is constructed, from its option ``streams.events.maxLen``.
            size: about so many bytes are kept of results, failure reasons, progress values and events of your own,
                those of 1,000 bytes or more counted; 1 or more. A queue begins with 16 MiB. Half of that is always
                there, and the latest event whatever its size. What BullMQ's own workers write is not counted.

        Raises:
            InvalidOption: a limit is no whole number of 1 or more.
        """
        for option, limit in (("entries", entries), ("size", size)):
            if limit is not None:
                checks.whole(option, limit, least=1)
        return await managing.set_event_limits(self._keyspace, entries, size)

    async def event_limits(self) -> EventLimits:
        """Return how much the queue's event stream keeps."""
        return await managing.read_event_limits(self._keyspace)

    async def publish_event(self, name: str, fields: Mapping[str, str | int | float] | None = None) -> str:
        """Put an event of your own into the queue's stream, for its readers; return its stream id.

        Args:
            name: none that the queue uses itself, and without a colon.
            fields: text or numbers by name; ``event`` is taken.

        Raises:
            InvalidOption: a name or a value would mislead or break readers.
        """
        if not checks.is_text(name) or ":" in name or name in OWN_EVENTS:
            raise InvalidOption(
                "an event's name must be text without a colon, and none of the queue's own; "
                f"got {checks.shown(name)}"
            )
        texts = {}
        given = {} if fields is None else checks.by_name("fields", fields, of="text and numbers")
        for field, value in given.items():
            if not checks.is_text(field) or field == NAME_FIELD:
                raise InvalidOption(
                    f"a field's name must be text other than {NAME_FIELD!r}; got {checks.shown(field)}"
                )
            texts[field] = _text(field, value)
        return await managing.publish_event(self._keyspace, name, texts)


def _moment(given: datetime) -> int:
    if not isinstance(given, datetime) or given.tzinfo is None:
        raise InvalidOption(f"before must be a datetime with a time zone; got {given!r}")
    return round(given.timestamp() * 1000)


def _text(field: str, value: object) -> str:
    if value == "" or checks.is_text(value):
        return str(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return str(value)
    raise InvalidOption(f"field {field!r} of an event must be text or a finite number; got {checks.shown(value)}")
