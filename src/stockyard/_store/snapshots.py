"""What a queue's readers are shown besides its jobs, as frozen snapshots."""

from __future__ import annotations

from dataclasses import dataclass

from stockyard.topology import Rate


@dataclass(frozen=True, slots=True)
class QueueSettings:
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


@dataclass(frozen=True, slots=True)
class WorkerInfo:
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


@dataclass(frozen=True, slots=True)
class QueueMetrics:
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
