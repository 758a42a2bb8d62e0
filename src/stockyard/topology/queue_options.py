"""What a queue's declaration may say beside its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

from stockyard.model.arrangement import OnFull
from stockyard.model.backoff import Backoff
from stockyard.model.breaker import Breaker
from stockyard.model.coalesce import Coalesce
from stockyard.model.durability import Durability
from stockyard.model.duration import Duration
from stockyard.model.handler import Executor
from stockyard.model.key_order import OnPoison, OnRetry
from stockyard.model.retention import KeepOption
from stockyard.model.retry_rule import ErrorClasses
from stockyard.model.venue import Delivery, UnknownHandler, Venue
from stockyard.topology.rate import Rate

if TYPE_CHECKING:
    from stockyard.model.limits import Limits


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
        limits: of the exchange that its jobs call: a job starts when they admit it. Defaults to none.
        cost, scope, lane: what its jobs use of them where ``add`` does not say it; see ``AddOptions``.
        check: ``add`` refuses job names and payloads that the queue's declared handlers do not take. Defaults to
            True; without declared handlers nothing is refused.
        delivery: ``"at_most_once"``: a job whose worker is lost before it began an effect is failed as unknown,
            not run again. Defaults to ``"at_least_once"``: it runs again. Effects are at most once in both.
        venue: the rules of the venue that its effects act on. Defaults to those of one that promises nothing.
        on_unknown: ``async def on_unknown(effect)`` asks the venue what became of an effect that is unknown.
            Defaults to nothing: streams and people settle.
        version: of the payloads that this program adds, 1 or higher; its workers take jobs of ``versions`` alone.
            Defaults to none: its workers take all jobs.
        versions: of the payloads that its workers understand. Defaults to ``(version,)``.
        aging: how long a wait counts like one step of priority: ``"30s"``. Needs ``priority``. Defaults to none:
            lower priorities wait as long as higher ones keep coming.
        breaker: ``Breaker(failures=5, within="30s")`` halts the queue when what its jobs call is down. Not with
            shards or a version. Defaults to none.
        shards: BullMQ queues that it is spread over, 1 to 64, each with a slot of its own. Order and priorities
            hold inside each. Defaults to 1.
        expires_in: how long after it might have run a job may start, where ``add`` does not say it. Defaults to
            no limit.
        coalesce: its jobs may have a coalescing key: ``"latest"``, ``"merge"`` or ``Coalesce(mode=…)`` says what
            becomes of two payloads of one key. Defaults to None: none has one.
        max_length: jobs that may wait: ready, prioritized and delayed ones. Defaults to no limit.
        on_full: what ``add`` does when so many wait: ``"reject"`` raises ``QueueFull``, ``"drop_oldest"`` removes
            the oldest of the least urgent that are ready, ``"block"`` waits for room. Defaults to ``"reject"``.
        full_timeout: how long ``"block"`` waits before it raises ``QueueFull``. Defaults to 30 s.
        ordered: jobs with the same ``key`` run one at a time, in the order added, over all workers. Defaults to
            False.
        on_retry: ``"hold"``: the next job of a key waits while one before it waits for a retry; or ``"pass"``: it
            runs meanwhile. Of ordered queues. Defaults to ``"hold"``.
        on_poison: ``"park"``: a job that failed for good stops its key, until ``Queue.keys`` lets it go on; or
            ``"skip"``: the next one runs. Of ordered queues. Defaults to ``"park"`` for queues whose name begins
            with ``execution:``, else to ``"skip"``.
        key_concurrency: jobs of one key that wait to be taken or run at a time, in no order; the others wait in
            the line of their key, so that a key with many jobs leaves places to the others. Defaults to no bound.
        lineage: its jobs remember the job whose handler added them: ``stockyard why`` shows the path to them, and
            what they add remembers it as well. Defaults to False: only jobs with a ``correlation_id`` pass it on.
        key_weights: keys that have so many times the places of the others: ``{"BTCUSDT": 3}``. Defaults to none.
        indexed: paths to values in payloads, as ``("order_id", "legs.0.venue")``: a search for one of these values
            finds at once what programs with this declaration added; jobs of Node and of schedules, as it comes to
            them. Defaults to none.
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
    limits: Limits | None
    cost: Mapping[str, float] | float | None
    scope: Mapping[str, str] | None
    lane: str
    delivery: Delivery
    venue: Venue | None
    on_unknown: UnknownHandler | None
    version: int | None
    versions: Sequence[int] | None
    aging: Duration | None
    breaker: Breaker | None
    shards: int
    expires_in: Duration | None
    coalesce: Coalesce | str | None
    max_length: int | None
    on_full: OnFull
    full_timeout: Duration
    ordered: bool
    on_retry: OnRetry | None
    on_poison: OnPoison | None
    key_concurrency: int | None
    key_weights: Mapping[str, int] | None
    lineage: bool
    indexed: Sequence[str] | None


KNOWN_OPTIONS = tuple(QueueOptions.__annotations__)
