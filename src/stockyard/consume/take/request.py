"""What a worker asks for in every call that takes jobs."""

from __future__ import annotations

from typing import Any

from stockyard._store.jobs.finishing import (
    LimitedTakeRequest,
    TakeRequest,
    VersionedLimitedTakeRequest,
    VersionedTakeRequest,
)
from stockyard.consume.options import WorkerSpec
from stockyard.topology import QueueSpec


def take_request(
    spec: QueueSpec, options: WorkerSpec, *, lock_ms: int, limits: dict[str, Any] | None
) -> TakeRequest:
    """Return the request of a worker, but for the number of jobs and their token.

    Args:
        spec: the queue.
        options: those of the worker.
        lock_ms: length of the leases.
        limits: what the scripts read of the limits that its jobs have, or None.
    """
    asked: dict[str, Any] = {
        "take": 0,
        "token": "",
        "lock_ms": lock_ms,
        "limit_max": spec.rate.max if spec.rate else None,
        "limit_window": spec.rate.duration_ms if spec.rate else None,
        "worker": options.name or "",
        "metrics": options.metrics_minutes,
    }
    if spec.versions:
        asked |= {"versions": list(spec.versions), "release": spec.defaults.version or 0}
        if limits is not None:
            return VersionedLimitedTakeRequest(**asked, limits=limits)
        return VersionedTakeRequest(**asked)
    return TakeRequest(**asked) if limits is None else LimitedTakeRequest(**asked, limits=limits)
