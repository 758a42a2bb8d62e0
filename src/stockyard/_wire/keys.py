"""The key names of a queue in BullMQ's layout; those of our own are in ``own_keys``."""

from __future__ import annotations

from stockyard._wire import own_keys
from stockyard.model.naming import Naming

SUFFIXES = {
    "counter": "id",
    "wait": "wait",
    "prioritized": "prioritized",
    "active": "active",
    "delayed": "delayed",
    "waiting_children": "waiting-children",
    "completed": "completed",
    "failed": "failed",
    "paused": "paused",
    "meta": "meta",
    "events": "events",
    "marker": "marker",
    "priority_counter": "pc",
    "stalled": "stalled",
    "stalled_check": "stalled-check",
    "limiter": "limiter",
    "repeat_set": "repeat",
    "metrics_completed": "metrics:completed",
    "metrics_failed": "metrics:failed",
    **own_keys.SUFFIXES,
    **own_keys.EFFECTS,
    **own_keys.ARRANGING,
    **own_keys.HALTS,
    **own_keys.KEYS,
}
"""Name in scripts and code -> last part of the key."""

JOB_SUFFIXES = {
    "lock": ":lock",
    "logs": ":logs",
    "dependencies": ":dependencies",
    "processed": ":processed",
    # Children whose failure the job goes on without, beside those that fail it.
    "ignored": ":failed",
    "unsuccessful": ":unsuccessful",
}
"""Name in scripts and code -> what follows a job's key."""

PREFIXES = {
    "owner": "de:",
    "next_of": "dn:",
    "run": "repeat:",
    **own_keys.PREFIXES,
}
"""Name in scripts and code -> what comes before an id: of deduplication, of a schedule, of a row of an outbox."""


class QueueKeys:
    """The keys of one queue.

    Args:
        naming: how keys are spelled.
        queue: the queue's name; may hold colons.
    """

    __slots__ = ("base", "by_name", "naming", "queue")

    def __init__(self, naming: Naming, queue: str) -> None:
        self.naming: Naming = naming
        self.queue: str = queue
        self.base: str = f"{naming.place(queue)}:"
        self.by_name: dict[str, str] = {name: self.base + suffix for name, suffix in SUFFIXES.items()}

    def __getitem__(self, name: str) -> str:
        return self.by_name[name]

    def job(self, job_id: str) -> str:
        """Return the key of a job's hash."""
        return self.base + job_id

    def of_job(self, job_id: str, what: str) -> str:
        """Return a key beside a job's hash; ``what`` is a name of ``JOB_SUFFIXES``."""
        return f"{self.base}{job_id}{JOB_SUFFIXES[what]}"

    def owner(self, deduplication_id: str) -> str:
        """Return the key that holds which job has a deduplication id."""
        return f"{self.base}{PREFIXES['owner']}{deduplication_id}"
