"""The numbers of an outbox, as they are exported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class OutboxFigures(NamedTuple):
    """What an outbox holds at one moment.

    Attributes:
        pending: jobs that wait to be relayed, by queue.
        oldest_seconds: age of the oldest of them, 0 without one.
        failed: jobs that their queues have refused for good.
        relayed: jobs relayed since the table was made.
        is_led: whether a relay leads.
        is_stuck: whether the relay that leads cannot go on.
    """

    pending: Mapping[str, int]
    oldest_seconds: float
    failed: int
    relayed: int
    is_led: bool
    is_stuck: bool
