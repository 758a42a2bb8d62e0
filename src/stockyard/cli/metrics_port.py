"""The address at which a process of workers or of a relay answers metrics and probes."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from stockyard.errors import ConfigError

if TYPE_CHECKING:
    # Only where metrics are served: its imports are a quarter of a worker's start.
    from stockyard.observe.metrics.metrics_server import MetricsServer

_log = logging.getLogger(__name__)
_PAUSE = 0.5
"""Seconds between two tries."""


class MetricsPort:
    """Serves metrics; a port that is still in use, as by a worker that is stopping, is waited for.

    Args:
        make: binds the port.
    """

    def __init__(self, make: Callable[[], MetricsServer]) -> None:
        self._make = make
        self._server: MetricsServer | None = None
        self._waiting: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Serve from now on, or as soon as the port is free.

        Raises:
            ConfigError: there cannot be a server at this address, however long one waits.
        """
        if problem := self._try():
            _log.warning("%s; waiting for it, and starting without it", problem)
            self._waiting = asyncio.create_task(self._wait(), name="metrics port")

    async def close(self) -> None:
        """End."""
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.wait([self._waiting])
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)

    def _try(self) -> ConfigError | None:
        try:
            self._server = self._make()
        except ConfigError as error:
            if not isinstance(error.__cause__, OSError) or error.__cause__.errno != errno.EADDRINUSE:
                raise
            return error
        self._server.start()
        _log.info("metrics and health at %s", self._server.url)
        return None

    async def _wait(self) -> None:
        while True:
            await asyncio.sleep(_PAUSE)
            if self._try() is None:
                return
