"""The names of all keys that are not BullMQ's: of caches, channels, alerts, audit, effects, limits, outboxes.

Each has an empty part, ``::``, which cannot occur in a queue's name, or is below one of BullMQ's own keys.
"""

from __future__ import annotations

from stockyard.model.naming import Naming

SUFFIXES = {
    # Below one of BullMQ's own keys, or its sweep for lost records would take it for one.
    "schedule_check": "stalled-check:schedules",
    "unread": "stalled-check:unread",
    # Lines of jobs that wait for limits of an exchange, by when each is due.
    "lines": "stalled-check:lines",
    # Payload versions that were seen, by when a worker that understands them last asked for jobs.
    "versions": "stalled-check:versions",
    # Its canary, when a worker of each release last asked, and when jobs of each version moved.
    "releases": "stalled-check:releases",
}
"""Of a queue; name in scripts and code -> last part of the key."""

EFFECTS = {
    "effects_open": ":effects:open",
    "effects_unknown": ":effects:unknown",
    "effects_settled": ":effects:settled",
    "effects_compact": ":effects:compact",
    "effects_check": ":effects:check",
    "effects_audit": ":effects:audit",
}
"""Of a queue's effects, in the same form: keys by outcome, the usual effects themselves, which worker looks after
them, who settled what."""

HALTS = {
    # By what jobs are halted, and which of them wait for a halt of their key to end.
    "halts": ":halts",
    "held": ":halts:held",
    # Of its circuit breaker: whether it is open, the failures that count, and what both were.
    "breaker": ":breaker",
    "breaker_failures": ":breaker:failures",
    "halts_audit": ":halts:audit",
}
"""Of what halts a queue, in the same form."""

KEYS = {
    "keys_heads": ":keys:heads",
    "keys_holders": ":keys:holders",
    "keys_parked": ":keys:parked",
    "keys_lines": ":keys:lines",
    "keys_waiting": ":keys:waiting",
    "keys_check": ":keys:check",
    "keys_rule": ":keys:rule",
}
"""Of a queue whose jobs have keys, in the same form: the key of each job that stands for one, the jobs that stand
for each, the failed job of each parked key, the keys with a line, how many jobs wait there, which worker looks,
and what the queue's declaration says of keys."""

PREFIXES = {
    # Beside a job that an outbox sent: that it was, for a while, whatever has become of the job.
    "relayed": ":outbox:",
    # The jobs of one such line, in their order.
    "line": "stalled-check:line:",
    # The jobs of a payload version that wait aside for a worker that understands it.
    "version_line": "stalled-check:version:",
    # What a job did outside, by the effect's key.
    "effect": ":effect:",
    # The jobs of a coalescing key, the one with the oldest payload first.
    "coalesced": ":coalesced:key:",
    # Jobs of one key that wait for those before them, in their order; and what ``KEYS`` begin with.
    "key_line": ":key:",
    "keyed": ":keys:",
    # Jobs by a value of their payload, of a queue that declares an index; what follows is the path to the value.
    "index": ":index:",
}
"""Of a queue; name in scripts and code -> what comes before an id."""

ARRANGING = {
    "counts": ":counts",
    "coalesced_due": ":coalesced:due",
    "aged": ":aged",
}
"""Of a queue that arranges what waits: counts of jobs that did not run; keys by when each is looked at; when the
last job came that ages, in µs."""

_LONGEST = 256


class CacheKeys:
    """The keys of all caches under one prefix; the empty part of ``::cache`` cannot occur in a queue's name.

    What belongs to all caches follows the base with a colon, which no cache's name begins with.

    Args:
        naming: how keys are spelled.
    """

    __slots__ = ("base", "totals", "uses")

    def __init__(self, naming: Naming) -> None:
        self.base: str = f"{naming.part('cache')}:"
        self.totals: str = f"{self.base}:totals"
        self.uses: str = f"{self.base}:lru"

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


def channels_index(naming: Naming) -> str:
    """Return the key that holds the names of durable channels; no channel's name has its empty part."""
    return f"{naming.part('channel')}::names"


def alerts_base(naming: Naming, topology: str) -> str:
    """Return what the keys of a topology's alerts begin with."""
    return f"{naming.part('alerts', topology)}:"


def cancel_channel(naming: Naming, queue: str) -> str:
    """Return the channel that running jobs of a queue are cancelled on."""
    return naming.part("cancel", queue)


def limits_base(naming: Naming, name: str) -> str:
    """Return what the keys of the limits of one exchange begin with."""
    return f"{naming.part('limits', name)}:"


def limits_index(naming: Naming) -> str:
    """Return the key that holds the names of all limits."""
    return f"{naming.part('limits')}:names"


def audit_key(naming: Naming, topology: str) -> str:
    """Return the key of the stream of what operators did to a topology."""
    return naming.part("audit", topology)


def halts_base(naming: Naming) -> str:
    """Return what the keys of all halts begin with, and the channel that says that they changed."""
    return f"{naming.part('halts')}:"
