"""Freezes limits with the queues that they hold, by BullMQ's own key of these, which workers on Node obey too."""

from __future__ import annotations

from collections.abc import Sequence

from stockyard._store.jobs import managing
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.limits import limiting
from stockyard._store.limits.limiting import LimitsKeyspace


async def freeze(keyspace: LimitsKeyspace, queues: Sequence[QueueKeyspace], scope: str, duration_ms: int) -> int:
    """Hold all calls, or those of a scope, and the queues; return for how many ms they are held now."""
    held = await limiting.freeze(keyspace, scope, duration_ms)
    for queue in queues:
        # What its own limit or an operator holds longer stays held.
        left = await queue.server.call("PTTL", queue.keys["limiter"])
        await managing.pause_for(queue, max(held, int(left)))
    return held


async def thaw(keyspace: LimitsKeyspace, queues: Sequence[QueueKeyspace], scopes: Sequence[str]) -> int:
    """End the freezes of these scopes, and what holds the queues; return how many freezes there were."""
    ended = await limiting.thaw(keyspace, scopes)
    for queue in queues if ended else ():
        await managing.clear_rate_limit(queue)
    return ended
