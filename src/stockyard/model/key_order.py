"""How the jobs of one key follow each other, and what a key is at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

import msgspec

from stockyard.errors import InvalidOption
from stockyard.model import checks

OnRetry = Literal["hold", "pass"]
OnPoison = Literal["park", "skip"]

_MOST = 100_000


class KeyOrder(msgspec.Struct, frozen=True):
    """What a queue declares of the jobs that have a key.

    Attributes:
        is_ordered: they run one at a time, in the order added.
        concurrency: how many jobs of a key wait to be taken or run at a time; the others wait in the key's line.
        weights: keys that have so many times as many, with the number.
        passes: a delayed retry lets the next job of its key pass.
        parks: a job that failed for good stops its key.
    """

    is_ordered: bool
    concurrency: int = 1
    weights: tuple[tuple[str, int], ...] = ()
    passes: bool = False
    parks: bool = False

    @staticmethod
    def of(queue: str, options: Mapping[str, Any]) -> KeyOrder | None:
        """Return what a queue's options declare, or None where jobs of one key are like any others.

        Args:
            queue: its name.
            options: those of its declaration.

        Raises:
            InvalidOption: an option is not of its kind, or two exclude each other.
        """
        is_ordered = checks.flag("ordered", options.get("ordered", False))
        concurrency = options.get("key_concurrency")
        if concurrency is not None:
            checks.whole("key_concurrency", concurrency, least=1, most=_MOST)
        weights = _weights_of(options.get("key_weights"))
        chosen = [name for name in ("on_retry", "on_poison") if options.get(name) is not None]
        if not is_ordered and chosen:
            raise InvalidOption(
                f"{chosen[0]} of queue {queue!r} is for jobs in order: declare the queue with ordered=True, too"
            )
        if not is_ordered and concurrency is None and not weights:
            return None
        if is_ordered and (weights or concurrency not in (None, 1)):
            raise InvalidOption(
                f"queue {queue!r} is ordered, so that one job of a key runs at a time: leave key_concurrency and "
                "key_weights out, or ordered"
            )
        on_retry = checks.one_of("on_retry", options.get("on_retry") or "hold", ("hold", "pass"))
        usual = "park" if queue.startswith("execution:") else "skip"
        on_poison = checks.one_of("on_poison", options.get("on_poison") or usual, ("park", "skip"))
        return KeyOrder(
            is_ordered=is_ordered,
            concurrency=1 if concurrency is None else concurrency,
            weights=weights,
            # Without an order nobody waits for a retry longer than for a place.
            passes=is_ordered and on_retry == "pass",
            parks=is_ordered and on_poison == "park",
        )


class KeyState(StrEnum):
    """Where the first job of a key is.

    Attributes:
        WAITING: it waits to be taken.
        RUNNING: a worker runs it.
        HELD: it waits for its time or its children, and holds the key.
        PARKED: it failed for good, and the key stays until ``resume``, ``skip`` or ``replay``.
    """

    WAITING = "waiting"
    RUNNING = "running"
    HELD = "held"
    PARKED = "parked"


class KeyInfo(msgspec.Struct, frozen=True):
    """A key that has jobs, at one moment.

    Attributes:
        key: the key.
        state: a ``KeyState``: of the first job.
        length: jobs behind the first, in the key's line.
        head: id of the first job.
        oldest_age: seconds since the first job was added.
        reason: why the job of a parked key failed; None for other keys.
    """

    key: str
    state: KeyState
    length: int
    head: str
    oldest_age: float
    reason: str | None = None


def _weights_of(given: Any) -> tuple[tuple[str, int], ...]:
    weights = {} if given is None else checks.by_name("key_weights", given, of="whole numbers")
    return tuple(
        (
            checks.text("a key of key_weights", key),
            checks.whole(f"the weight of key {key!r}", weight, least=1, most=_MOST),
        )
        for key, weight in weights.items()
    )
