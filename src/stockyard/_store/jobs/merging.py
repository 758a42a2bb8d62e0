"""Puts together what the shards of one queue say of themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from stockyard._store.jobs.reading import QueueFacts
from stockyard._store.snapshots import QueueMetrics, QueueSettings, WorkerInfo
from stockyard.topology import Rate

_MINUTE = 60_000
_SUMS = (
    "wait prioritized active delayed waiting_children completed failed legacy_paused schedules counted_completed "
    "counted_failed not_understood replaced expired dropped refused parked_keys in_lines"
).split()


def merged_facts(shards: Sequence[QueueFacts]) -> QueueFacts:
    """Return the numbers of a queue by those of its shards.

    It is paused when all of them are. A worker serves all shards, so the shard with the most workers says how many
    there are.
    """
    if len(shards) == 1:
        return shards[0]
    longest = min(shards, key=lambda each: each.running_since or float("inf"))
    latest = min(shards, key=lambda each: each.late_due or float("inf"))
    halted = max(shards, key=lambda each: bool(each.halt))
    return longest._replace(
        **{name: sum(getattr(each, name) for each in shards) for name in _SUMS},
        is_paused=int(all(each.is_paused for each in shards)),
        waiting_since=min((each.waiting_since for each in shards if each.waiting_since), default=0),
        late_due=latest.late_due,
        late_schedule=latest.late_schedule,
        halt=halted.halt,
        halted_keys=max(each.halted_keys for each in shards),
        workers=max(each.workers for each in shards),
        damage=tuple(damage for each in shards for damage in each.damage),
    )


def merged_settings(shards: Sequence[QueueSettings]) -> QueueSettings:
    """Return the settings of a queue by those of its shards; a limit that some shard has not is none."""
    limits = [each.concurrency for each in shards if each.concurrency is not None]
    return replace(
        shards[0],
        paused=all(each.paused for each in shards),
        concurrency=sum(limits) if len(limits) == len(shards) else None,
        rate=_of_all([each.rate for each in shards]),
    )


def _of_all(rates: Sequence[Rate | None]) -> Rate | None:
    """Return the rate of all shards together, where each has the same."""
    rate = rates[0]
    return None if rate is None or set(rates) != {rate} else Rate(rate.max * len(rates), rate.duration_ms)


def merged_workers(shards: Sequence[Sequence[WorkerInfo]]) -> list[WorkerInfo]:
    """Return the workers of a queue by the connections to its shards.

    Those of one name are as many as one shard has at most; each connection without a name is a worker.
    """
    merged: list[WorkerInfo] = []
    listed: Counter[str] = Counter()
    for connections in shards:
        here: Counter[str] = Counter()
        for worker in connections:
            here[worker.name] += 1
            if not worker.name or here[worker.name] > listed[worker.name]:
                listed[worker.name] += 1
                merged.append(worker)
    return merged


def merged_metrics(shards: Sequence[QueueMetrics], first: int, last: int) -> QueueMetrics:
    """Return how many jobs ended by the minutes of all shards, each read from its newest to its oldest.

    Args:
        shards: with all of their minutes.
        first, last: places of the minutes that are wanted, inclusive; -1 is the oldest.
    """
    counted = [each for each in shards if each.prev_ts]
    total = sum(each.count for each in shards)
    if not counted:
        return QueueMetrics(total)
    closed_last = max(each.prev_ts for each in counted)
    running = closed_last // _MINUTE
    by_minute: Counter[int] = Counter()
    for each in counted:
        its_running = each.prev_ts // _MINUTE
        by_minute[its_running] += each.count - each.prev_count
        for place, count in enumerate(each.data):
            by_minute[its_running - 1 - place] += count
    begun = by_minute.pop(running, 0)
    oldest = min(by_minute, default=running)
    data = tuple(by_minute[minute] for minute in range(running - 1, oldest - 1, -1))
    end = len(data) + last if last < 0 else last
    start = max(len(data) + first, 0) if first < 0 else first
    return QueueMetrics(total, closed_last, total - begun, data[start : end + 1], len(data))
