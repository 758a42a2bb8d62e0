"""What a queue's declaration may say beside its name."""

from __future__ import annotations

from typing import TypedDict

from stockyard.model.backoff import Backoff
from stockyard.model.durability import Durability
from stockyard.model.duration import Duration
from stockyard.model.handler import Executor
from stockyard.model.retention import KeepOption
from stockyard.model.retry_rule import ErrorClasses
from stockyard.topology.rate import Rate


class QueueOptions(TypedDict, total=False):
    """The options of ``Topology.queue``.

    Keys:
        concurrency: jobs that one worker runs at a time. Defaults to 1.
        attempts: tries of a job in all. Defaults to 1.
        backoff: wait between attempts. Defaults to none.
        priority: of its jobs; 0 is none. Defaults to 0.
        timeout: limit of one run. Defaults to none.
        remove_on_complete: retention. Defaults to 1 hour and at most 10,000.
        remove_on_fail: retention. Defaults to 7 days and at most 50,000.
        rate: ``"100/s"``: jobs started per time by all workers together. Defaults to no limit.
        executor: ``"async"``, ``"thread"`` or ``"process"``. Defaults to what the handler is.
        lock: lease of a running job. Defaults to 30 s.
        max_stalled: how often a job may lose its worker before it is failed. Defaults to 1.
        high_priority: alert on its backlog. Defaults to False.
        critical: its workers do not start on a server that evicts keys, or hides whether it does. Defaults to
            False: they warn.
        description: one line for people.
        autoretry_for: exception classes: only these are retried. Defaults to all.
        dont_retry_on: exception classes that fail a job at once. Defaults to none.
        durability: what has to be safe before an add is answered: ``"aof"`` (the server's append-only file, on
            disk) or ``"replica"`` (one replica). Defaults to nothing: an add is answered when the server has it.
        check: ``add`` refuses job names and payloads that the queue's declared handlers do not take. Defaults to
            True; without declared handlers nothing is refused.
    """

    concurrency: int
    attempts: int
    backoff: Backoff | Duration | None
    priority: int
    timeout: Duration | None
    remove_on_complete: KeepOption
    remove_on_fail: KeepOption
    rate: Rate | str | None
    executor: Executor | None
    lock: Duration
    max_stalled: int
    high_priority: bool
    critical: bool
    description: str
    autoretry_for: ErrorClasses | None
    dont_retry_on: ErrorClasses | None
    durability: Durability | None
    check: bool


KNOWN_OPTIONS = tuple(QueueOptions.__annotations__)
