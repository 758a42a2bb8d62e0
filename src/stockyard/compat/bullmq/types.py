"""The types of the port's options, for programs that annotate them."""

from __future__ import annotations

from typing import Any, TypedDict


class KeepJobs(TypedDict, total=False):
    """How long, and how many, finished jobs are kept.

    Keys:
        age: seconds.
        count: so many of the newest.
        limit: at most so many are removed by age after one job.
    """

    age: int
    count: int
    limit: int


class BackoffOptions(TypedDict, total=False):
    """The wait between attempts.

    Keys:
        type: ``"fixed"``, ``"exponential"``, or any other name for the worker's ``backoffStrategy``.
        delay: milliseconds.
        jitter: 0 to 1.
    """

    type: str
    delay: int
    jitter: float


class DeduplicationOptions(TypedDict, total=False):
    """Which adds become one job.

    Keys:
        id: what they share.
        ttl: milliseconds for which the id is taken. Defaults to as long as its job has not ended.
        extend: every add that is dropped begins the ttl again.
        replace: a job that is still delayed is replaced by the newer one.
        keepLastIfActive: of the jobs that are added while one runs, the last runs after it.
    """

    id: str
    ttl: int
    extend: bool
    replace: bool
    keepLastIfActive: bool


class JobOptions(TypedDict, total=False):
    """The options of a job.

    Keys:
        attempts: how often it may be tried. Defaults to once.
        backoff: wait between attempts: milliseconds, or ``BackoffOptions``.
        deduplication: which adds are one job with it.
        delay: milliseconds before it may run.
        jobId: its id. A job of an id that is there is not added again.
        keepLogs: so many of its newest log lines stay.
        lifo: run it before what waits.
        parent: the job that waits for it: ``{"id": …, "queue": job.queueQualifiedName}``.
        priority: 1 runs before 2. Defaults to none, which runs first.
        removeOnComplete, removeOnFail: True, how many are kept, or ``KeepJobs``. Defaults to all.
        sizeLimit: bytes of its payload.
        stackTraceLimit: so many of its newest stack traces stay.
        timestamp: when it was made, ms since the epoch. Defaults to now.
        failParentOnFailure, continueParentOnFailure, ignoreDependencyOnFailure, removeDependencyOnFailure: what
            its failure means to its parent; one of them.
    """

    attempts: int
    backoff: int | BackoffOptions
    deduplication: DeduplicationOptions
    delay: int
    jobId: str
    keepLogs: int
    lifo: bool
    parent: dict[str, str]
    priority: int
    removeOnComplete: bool | int | KeepJobs
    removeOnFail: bool | int | KeepJobs
    sizeLimit: int
    stackTraceLimit: int
    timestamp: int
    failParentOnFailure: bool
    continueParentOnFailure: bool
    ignoreDependencyOnFailure: bool
    removeDependencyOnFailure: bool


class QueueBaseOptions(TypedDict, total=False):
    """The options of a queue or a flow producer.

    Keys:
        connection: a URL, the keyword arguments of redis-py's ``Redis``, or such a client.
        prefix: first part of every key. Defaults to ``bull``.
        defaultJobOptions: options of its jobs where ``add`` does not give them.
        skipVersionCheck: has no effect.
    """

    connection: Any
    prefix: str
    defaultJobOptions: JobOptions
    skipVersionCheck: bool


class WorkerOptions(TypedDict, total=False):
    """The options of a worker; see ``Worker``.

    Keys:
        connection, prefix: as for a queue.
        name: shown in dashboards.
        autorun: begin at once. Defaults to True.
        concurrency: jobs at a time. Defaults to 1.
        lockDuration: milliseconds of a job's lock, which is renewed while the job runs. Defaults to 30 s.
        stalledInterval: milliseconds between two looks for the jobs of dead workers. Defaults to half the lock.
        maxStalledCount: how often a job may lose its worker before it is failed. Defaults to 1.
        drainDelay: seconds to wait for a job of an empty queue. Defaults to 5.
        limiter: ``{"max": jobs, "duration": ms}`` over all workers.
        removeOnComplete, removeOnFail: retention of jobs that say nothing themselves.
        settings: ``{"backoffStrategy": function}``, given the attempts made, the type, the error and the job; it
            returns milliseconds, or -1 to fail.
        metrics: ``{"maxDataPoints": minutes}``: keep how many jobs ended in each minute.
        lockRenewTime, runRetryDelay, skipVersionCheck: have no effect.
    """

    connection: Any
    prefix: str
    name: str
    autorun: bool
    concurrency: int
    lockDuration: int
    stalledInterval: int
    maxStalledCount: int
    drainDelay: float
    limiter: dict[str, int]
    removeOnComplete: bool | int | KeepJobs
    removeOnFail: bool | int | KeepJobs
    settings: dict[str, Any]
    metrics: dict[str, int]
    lockRenewTime: int
    runRetryDelay: int
    skipVersionCheck: bool


class RetryJobsOptions(TypedDict, total=False):
    """The options of ``Queue.retryJobs``.

    Keys:
        state: ``"failed"``, the default, or ``"completed"``.
        timestamp: only what had ended by then, ms since the epoch. Defaults to now.
        count: has no effect: jobs are moved in parts that suit the server, until none is left.
    """

    state: str
    timestamp: int
    count: int


class RepeatOptions(TypedDict, total=False):
    """When the runs of a job scheduler come; one of ``every`` and ``pattern``.

    Keys:
        every: milliseconds between two runs.
        pattern: cron pattern with 5 fields, or 6 with seconds in front.
        tz: IANA zone of the pattern. Defaults to UTC.
        offset: milliseconds behind the multiples of ``every``.
        limit: runs in all.
        startDate, endDate: no run before and none after: ms since the epoch, or ISO text.
        immediately: make the first run of a pattern now.
        count: runs that were made already.
    """

    every: int
    pattern: str
    tz: str
    offset: int
    limit: int
    startDate: int | float | str
    endDate: int | float | str
    immediately: bool
    count: int
