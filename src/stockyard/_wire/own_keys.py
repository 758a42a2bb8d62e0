"""The names of all keys that are not BullMQ's: of caches, channels, alerts, cancellations, outboxes.

Each has an empty part, ``::``, which cannot occur in a queue's name, or is below one of BullMQ's own keys.
"""

from __future__ import annotations

from stockyard.model.naming import Naming

SUFFIXES = {
    # Below one of BullMQ's own keys, or its sweep for lost records would take it for one.
    "schedule_check": "stalled-check:schedules",
    "unread": "stalled-check:unread",
}
"""Of a queue; name in scripts and code -> last part of the key."""

PREFIXES = {
    # Beside a job that an outbox sent: that it was, for a while, whatever has become of the job.
    "relayed": ":outbox:",
}
"""Of a queue; name in scripts and code -> what comes before an id."""

_LONGEST = 256


class CacheKeys:
    """The keys of all caches under one prefix; the empty part of ``::cache`` cannot occur in a queue's name.

    What belongs to all caches follows the base with a colon, which no cache's name begins with.

    Args:
        naming: how keys are spelled.
    """

    __slots__ = ("base", "totals")

    def __init__(self, naming: Naming) -> None:
        self.base: str = f"{naming.part('cache')}:"
        self.totals: str = f"{self.base}:totals"

    def entries(self, cache: str) -> str:
        """Return what the keys of a cache's entries begin with."""
        return f"{self.base}{cache}::e:"

    def locks(self, cache: str) -> str:
        """Return what the keys of a cache's locks begin with."""
        return f"{self.base}{cache}::l:"

    def tags(self, cache: str) -> str:
        """Return what the keys of a cache's tags begin with."""
        return f"{self.base}{cache}::t:"


def lock_queue(cache: str) -> str:
    """Return the queue that a cache's locks would belong to if they were those of jobs.

    They have that shape, so that the process that renews the leases of jobs renews them too.
    """
    return f":cache:{cache}:"


def lock_job(key: str) -> str:
    """Return the job that the lock of an entry would belong to."""
    return f"l:{key}"


def is_cut(stored: str) -> bool:
    """Say whether a written key looks like one that was cut, whose whole text is not known."""
    return len(stored) == _LONGEST // 4 + 65 and stored[_LONGEST // 4] == "~"


def stored_key(key: str) -> str:
    """Return a key as it is written: a long one is cut and gets a digest."""
    if len(key) <= _LONGEST // 4 or len(key.encode()) <= _LONGEST:
        return key
    # Imported late: it loads OpenSSL, which neither short keys nor the process that renews leases need.
    import hashlib

    return f"{key[: _LONGEST // 4]}~{hashlib.sha256(key.encode()).hexdigest()}"


class ChannelKeys:
    """The keys of one channel; the empty part of ``::channel`` cannot occur in a queue's name.

    Args:
        naming: how keys are spelled.
        channel: the channel's name; may hold single colons.
    """

    __slots__ = ("base", "dead", "live", "messages")

    def __init__(self, naming: Naming, channel: str) -> None:
        self.live: str = naming.part("channel", channel)
        self.base: str = f"{self.live}:"
        self.messages: str = f"{self.base}messages"
        self.dead: str = f"{self.base}dead"


def alerts_base(naming: Naming, topology: str) -> str:
    """Return what the keys of a topology's alerts begin with."""
    return f"{naming.part('alerts', topology)}:"


def cancel_channel(naming: Naming, queue: str) -> str:
    """Return the channel that running jobs of a queue are cancelled on."""
    return naming.part("cancel", queue)
