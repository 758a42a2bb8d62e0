"""What a queue's declaration asks for of the jobs that wait; without any of it, jobs are added as in BullMQ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.coalesce import Coalesce
from stockyard.model.duration import milliseconds
from stockyard.model.key_order import KeyOrder
from stockyard.model.options import JobOptions
from stockyard.model.retention import checked_keep, removes_at_once

OnFull = Literal["reject", "drop_oldest", "block"]
"""What an add does to a queue in which as many jobs wait as may."""


class Arrangement(msgspec.Struct, frozen=True):
    """How a queue arranges the jobs that wait.

    Attributes:
        coalesce: how payloads of one key are joined, or None where jobs have no such key.
        max_length: jobs that may wait, or None.
        on_full: what an add does then.
        full_timeout_ms: how long an add waits for room where it blocks.
        aging_ms: how long a job waits to count as one step more urgent; 0 where jobs do not age.
        keys: how jobs of one key follow each other, or None where they are like any others.
    """

    coalesce: Coalesce | None = None
    max_length: int | None = None
    on_full: OnFull = "reject"
    full_timeout_ms: int = 30_000
    aging_ms: int = 0
    keys: KeyOrder | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """What of the script that adds is needed, in its order."""
        chosen = {
            "coalescing": self.coalesce is not None,
            "bounded": self.max_length is not None,
            "keyed": self.keys is not None,
            "aging": self.aging_ms > 0,
        }
        return tuple(part for part, is_chosen in chosen.items() if is_chosen)

    def takes(self, options: JobOptions) -> bool:
        """Say whether the script adds a job of these options; a job that needs nothing of it is added plainly."""
        lines_up = self.keys is not None and options.key is not None
        ages = (
            self.aging_ms > 0 and options.priority > 0 and options.parent is None and options.deduplication is None
        )
        return self.max_length is not None or options.coalesce is not None or lines_up or ages

    def resolved(self, options: JobOptions) -> JobOptions:
        """Return a job's options with what the queue declares of coalescing where the job does not say it."""
        if options.coalesce is None or self.coalesce is None or options.coalesce.mode is not None:
            return options
        return msgspec.structs.replace(options, coalesce=options.coalesce.of_queue(self.coalesce))

    @property
    def blocks(self) -> bool:
        """Whether an add waits for room."""
        return self.max_length is not None and self.on_full == "block"


_OF_ONE_SLOT = ("max_length", "coalesce", "ordered", "key_concurrency")


def arrangement_of(name: str, options: Mapping[str, Any]) -> Arrangement | None:
    """Check the declaration of a queue; return what it asks for, or None for nothing.

    Raises:
        InvalidOption: an option is out of its range, or ``on_full`` and ``full_timeout`` have nothing to be for.
    """
    coalesce = Coalesce.declared(options.get("coalesce"))
    max_length, on_full, full_timeout = (options.get(each) for each in ("max_length", "on_full", "full_timeout"))
    if max_length is None and on_full is not None:
        raise InvalidOption(f"queue {name!r} has on_full and no max_length: say how many jobs may wait")
    if full_timeout is not None and on_full != "block":
        raise InvalidOption(f"queue {name!r} has a full_timeout, which is for on_full='block'")
    aging_ms = _aging(name, options)
    keys = _key_order(name, options)
    if max_length is None and coalesce is None and keys is None and not aging_ms:
        return None
    if keys is not None and (max_length is not None or coalesce is not None):
        other = "coalesce" if max_length is None else "max_length"
        raise InvalidOption(
            f"queue {name!r} has {other} and keys in lines, which {other} does not see: leave one of them out"
        )
    of_one_slot = [each for each in _OF_ONE_SLOT if options.get(each)]
    if options.get("shards", 1) != 1 and of_one_slot:
        need = "need" if len(of_one_slot) > 1 else "needs"
        raise InvalidOption(
            f"queue {name!r} has shards, and {' and '.join(of_one_slot)} {need} one slot: leave one of them out"
        )
    return Arrangement(
        coalesce=coalesce,
        max_length=None if max_length is None else checks.whole("max_length", max_length, least=1),
        on_full=checks.one_of("on_full", on_full or "reject", get_args(OnFull)),
        aging_ms=aging_ms,
        full_timeout_ms=30_000 if full_timeout is None else milliseconds(full_timeout, option="full_timeout"),
        keys=keys,
    )


def _aging(name: str, options: Mapping[str, Any]) -> int:
    """Return how long a job waits to count as one step more urgent, 0 for none; raises InvalidOption."""
    aging = options.get("aging")
    if aging is None:
        return 0
    if not options.get("priority"):
        raise InvalidOption(
            f"queue {name!r} has aging and no priority: jobs without a priority run before all others, and do not "
            "age. Give the queue the priority of jobs that name none, such as priority=10"
        )
    if options.get("on_full") == "drop_oldest":
        raise InvalidOption(
            f"queue {name!r} has aging and on_full='drop_oldest', and the score of a job that ages does not say "
            "how urgent it is: use on_full='reject' or 'block'"
        )
    return checks.positive_ms("aging", aging, hint="how long a job waits to count as one step more urgent")


def _key_order(name: str, options: Mapping[str, Any]) -> KeyOrder | None:
    keys = KeyOrder.of(name, options)
    if keys is None:
        return None
    if keys.passes and options.get("limits") is not None:
        raise InvalidOption(
            f"queue {name!r} has limits and on_retry='pass', and both delay jobs: a job that waits for its limits "
            "would be taken for a retry. Leave one of them out"
        )
    keep = options.get("remove_on_fail")
    if keys.parks and keep is not None and removes_at_once(checked_keep(keep, option="remove_on_fail")):
        raise InvalidOption(
            f"queue {name!r} parks the key of a job that failed, and remove_on_fail would remove that job: keep "
            "it, or declare on_poison='skip'"
        )
    return keys


def refuse_misfit(name: str, arrangement: Arrangement | None, options: JobOptions, *, way: str = "") -> None:
    """Refuse a job that its queue could not arrange as it is declared.

    Args:
        name: of the queue.
        arrangement: what it declares.
        options: those of the job.
        way: what adds the job, other than ``add``: "a flow", "an outbox". Defaults to ``add``.

    Raises:
        InvalidOption: always says what to do instead.
    """
    if options.coalesce is not None:
        if arrangement is None or arrangement.coalesce is None:
            raise InvalidOption(
                f"queue {name!r} does not coalesce jobs: declare it with coalesce='latest', or leave coalesce out"
            )
        for other in ("job_id", "deduplication", "parent"):
            if getattr(options, other) is not None:
                raise InvalidOption(f"coalesce and {other} exclude each other: a job may replace another")
        if way:
            raise InvalidOption(f"{way} cannot coalesce jobs: add the job by queue.add, or leave coalesce out")
    if arrangement is not None and arrangement.keys is not None and options.key is not None:
        _refuse_beside_key(name, arrangement.keys, options, way)
    if arrangement is None or arrangement.max_length is None:
        return
    if way:
        raise InvalidOption(f"{way} does not keep to the max_length of queue {name!r}: add the job by queue.add")
    for other, value in {"deduplication": options.deduplication, "parent": options.parent}.items():
        if value is not None:
            raise InvalidOption(
                f"queue {name!r} has a max_length, and {other} is not supported there: leave one of them out"
            )


def _refuse_beside_key(name: str, keys: KeyOrder, options: JobOptions, way: str) -> None:
    """Refuse a key where the line of its key could not be kept; raises InvalidOption."""
    beside = {
        "parent": options.parent,
        "deduplication": options.deduplication,
        "lifo": options.lifo or None,
    }
    against = way or next((other for other, value in beside.items() if value is not None), "")
    if against:
        raise InvalidOption(
            f"a job of queue {name!r} cannot have a key together with {against}: it waits in the line of its key, "
            f"and {against} would give it another place. Leave one of them out"
        )
    if keys.parks and removes_at_once(options.remove_on_fail):
        raise InvalidOption(
            f"queue {name!r} parks the key of a job that failed, so a job with a key cannot be removed as it "
            "fails: leave remove_on_fail out"
        )
