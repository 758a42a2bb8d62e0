"""What a queue's readers are shown besides its jobs, as frozen snapshots."""

from __future__ import annotations

import msgspec

from stockyard.model.job import JobState
from stockyard.topology import Rate


class QueueSettings(msgspec.Struct, frozen=True):
    """Settings that all workers of a queue respect.

    Attributes:
        paused: whether no job starts.
        concurrency: jobs that run at a time over all workers, or None for no bound.
        rate: jobs that start in a time over all workers, or None for no bound.
        max_events: entries that the event stream is kept at, about; None until the first job.
        version: library that made the queue last, as in ``"bullmq:6.7.0"``, or None.
    """

    paused: bool = False
    concurrency: int | None = None
    rate: Rate | None = None
    max_events: int | None = None
    version: str | None = None


class WorkerInfo(msgspec.Struct, frozen=True):
    """A worker that is connected, ours or Node's.

    Attributes:
        name: the worker's, or empty.
        queue: the queue it works on.
        connection: number of its blocking connection.
        address: where it is connected from.
        age: seconds since it connected.
        idle: seconds since it last asked for jobs.
    """

    name: str
    queue: str
    connection: int = 0
    address: str = ""
    age: int = 0
    idle: int = 0


class QueueMetrics(msgspec.Struct, frozen=True):
    """Jobs that ended, minute by minute, as far as workers with ``metrics`` on counted them.

    Attributes:
        count: in all.
        prev_ts: when a minute was closed last, milliseconds since the epoch; 0 for never.
        prev_count: ``count`` at that time.
        data: jobs per minute, newest first; the running minute is not among them.
        points: how many minutes there are, those that were not asked for included.
    """

    count: int = 0
    prev_ts: int = 0
    prev_count: int = 0
    data: tuple[int, ...] = ()
    points: int = 0


class JobPosition(msgspec.Struct, frozen=True):
    """Where a job is in its queue, and when it may start.

    Attributes:
        state: where it is.
        ahead: waiting jobs that start before it; None unless it waits.
        is_exact: False where it waits in the middle of a very long line: then so many are ahead at least.
        is_paused: whether the queue is paused, so that nothing starts.
        jobs_per_second: jobs that ended of late, by all workers that count them; None where none does.
        starts_in: seconds until it starts, if jobs go on ending at that rate and none is added before it; until it
            is due, of a delayed one. None where that is unknown.
    """

    state: JobState
    ahead: int | None
    is_exact: bool
    is_paused: bool
    jobs_per_second: float | None
    starts_in: float | None


class PayloadVersion(msgspec.Struct, frozen=True):
    """Jobs of one payload version that wait for a worker that understands it.

    Attributes:
        version: of their payloads.
        waiting: how many; of a queue with limits, those that wait for their limits as well.
        understood_at: when a worker that understands it last asked for jobs, ms since the epoch; 0 for never.
    """

    version: int
    waiting: int
    understood_at: int


class Canary(msgspec.Struct, frozen=True):
    """A release whose workers run a share of the jobs of older payload versions.

    Attributes:
        version: of the release: that of the payloads that its program adds.
        share: of the keys, or of the jobs without a key, that its workers run; from 0 to 1.
        since: when it was set, ms since the epoch.
    """

    version: int
    share: float
    since: int = 0


class VersionJobs(msgspec.Struct, frozen=True):
    """Jobs of one payload version that have not ended.

    Attributes:
        version: of their payloads.
        waiting: ready to run, prioritized ones and those in the lines of their keys included.
        delayed: those that wait for their time, or aside for a worker that runs them.
        active: those that run.
        waiting_children: those that wait for their children.
        moving: whether workers moved jobs of this version while they were counted, so that one may be missing.
    """

    version: int
    waiting: int = 0
    delayed: int = 0
    active: int = 0
    waiting_children: int = 0
    moving: bool = False

    @property
    def total(self) -> int:
        """How many there are."""
        return self.waiting + self.delayed + self.active + self.waiting_children

    @property
    def is_drained(self) -> bool:
        """Whether none is left, so that workers need not understand this version any more."""
        return not self.total and not self.moving
