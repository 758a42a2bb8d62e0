"""The options of an outbox's relay, checked once at the door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

from stockyard.model import checks
from stockyard.model.duration import Duration


class RelayOptions(TypedDict, total=False):
    """The options of ``OutboxRelay``.

    Keys:
        poll: pause between two looks at a table that has nothing new. Defaults to 500 ms. With psycopg on
            PostgreSQL the relay wakes when a transaction is committed.
        batch: rows that one look reads. Defaults to 500.
        max_waiting: jobs that may wait in a queue; while there are as many, no more are relayed to it. None is no
            limit. Defaults to 10,000.
        keep: how long the rows of relayed jobs stay in the table. None deletes them at once. Defaults to None.
        attempts: how often a queue may refuse a job before the row is marked as failed. Defaults to 5.
        lease: how long the relay leads without a sign of life; after a crash, another takes over that much later.
            At least 1 s, and longer than a call to the server may take. Defaults to 15 s.
        memory: how long a queue remembers that a row was added, even if the job is gone meanwhile. Defaults to
            15 minutes.
    """

    poll: Duration
    batch: int
    max_waiting: int | None
    keep: Duration | None
    attempts: int
    lease: Duration
    memory: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySpec:
    """Checked options of a relay, all times in milliseconds; the meaning is that of ``RelayOptions``."""

    poll_ms: int = 500
    batch: int = 500
    max_waiting: int | None = 10_000
    keep_ms: int | None = None
    attempts: int = 5
    lease_ms: int = 15_000
    memory_ms: int = 900_000

    @classmethod
    def of(cls, options: RelayOptions) -> RelaySpec:
        """Check options.

        Raises:
            InvalidOption: one is not known or out of its range.
        """
        checks.refuse_unknown(options, RelayOptions.__annotations__)
        given: dict[str, Any] = {}
        for name, least in {"poll": 1, "lease": 1_000, "memory": 1_000}.items():
            if name in options:
                given[f"{name}_ms"] = checks.positive_ms(name, options[name], least=least)  # type: ignore[literal-required]
        for name in ("batch", "attempts"):
            if name in options:
                given[name] = checks.whole(name, options[name], least=1, most=100_000)  # type: ignore[literal-required]
        if "max_waiting" in options:
            limit = options["max_waiting"]
            given["max_waiting"] = None if limit is None else checks.whole("max_waiting", limit, least=1)
        if "keep" in options:
            keep = options["keep"]
            given["keep_ms"] = None if keep is None else checks.positive_ms("keep", keep)
        return cls(**given)
