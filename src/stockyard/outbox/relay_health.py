"""Shows an outbox and its relay to the threads that answer metrics and probes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import CancelledError
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from stockyard._aio.repeats import repeats
from stockyard.consume.heartbeat import HealthCheck
from stockyard.observe.metrics.outbox_figures import OutboxFigures
from stockyard.outbox.database import first_line
from stockyard.outbox.status import OutboxStatus
from stockyard.topology import Topology

_log = logging.getLogger(__name__)
_READ_SECONDS = 5.0
"""What a scrape waits for the database."""

_SILENT_SECONDS = 60.0
"""A relay whose rounds end by no means for so long hangs."""


class RelayHealth:
    """One relay and its outbox, seen from outside its loop.

    Args:
        name: of the outbox's table.
        topology: its queues.
        read: reads what the outbox holds, in the relay's loop.

    Attributes:
        name: of the outbox's table.
    """

    def __init__(
        self, name: str, topology: Topology, read: Callable[[], Coroutine[Any, Any, OutboxStatus]]
    ) -> None:
        self.name = name
        self._topology = topology
        self._read = read
        self._loop: asyncio.AbstractEventLoop | None = None
        self._beat = time.monotonic()
        self._trouble = ""

    def start(self) -> None:
        """The relay runs from now on, in this loop."""
        self._loop = asyncio.get_running_loop()
        self.note("")

    def note(self, trouble: str) -> None:
        """A round has ended; with the reason, if it broke off."""
        self._beat = time.monotonic()
        self._trouble = trouble

    def health_check(self) -> HealthCheck:
        """Say whether the relay's rounds go on."""
        silent = time.monotonic() - self._beat
        if silent > _SILENT_SECONDS:
            return HealthCheck("outbox relay", False, f"no round has ended for {silent:.0f} s")
        return HealthCheck("outbox relay", not self._trouble, self._trouble or "it goes on", is_fatal=False)

    def figures(self) -> OutboxFigures | None:
        """Return what the outbox holds, to another thread than the loop's; None when its database does not say."""
        if self._loop is None or self._loop.is_closed():
            return None
        reading = asyncio.run_coroutine_threadsafe(self._read(), self._loop)
        try:
            return figures_of(reading.result(_READ_SECONDS), self._topology.names)
        except (SQLAlchemyError, OSError, CancelledError) as error:
            # A TimeoutError is an OSError; the reading would go on.
            reading.cancel()
            repeats.warn(_log, "metrics of the outbox are missing", first_line(error))
            return None


def figures_of(status: OutboxStatus, queues: Iterable[str]) -> OutboxFigures:
    """Return the figures of an outbox: each declared queue has one, and so has any other that jobs wait for."""
    return OutboxFigures(
        pending=dict.fromkeys(queues, 0) | status.pending,
        oldest_seconds=(status.oldest_age_ms or 0) / 1000,
        failed=status.failed,
        relayed=status.relayed,
        is_led=status.leader is not None,
        is_stuck=status.error is not None,
    )
