"""Notes when the server does not answer a worker, and when it answers again."""

from __future__ import annotations

import logging
from collections.abc import Callable

from stockyard._aio.repeats import repeats
from stockyard.consume.finish.finisher import Finisher
from stockyard.consume.heartbeat import Heartbeat
from stockyard.errors import ServerError

_log = logging.getLogger(__name__)


class Outage:
    """What a worker's calls say about its server.

    Args:
        queue: its name, for the log.
        heartbeat: notes every answer and every failure.
        finisher: is lenient about locks that may have run out meanwhile.
        lenient_seconds: how long after the outage it still is.
        on_error: called when an outage begins, and when its cause changes. Defaults to nothing.
    """

    def __init__(
        self,
        queue: str,
        *,
        heartbeat: Heartbeat,
        finisher: Finisher,
        lenient_seconds: float,
        on_error: Callable[[BaseException], None] | None = None,
    ) -> None:
        self._queue = queue
        self._heartbeat = heartbeat
        self._finisher = finisher
        self._lenient_seconds = lenient_seconds
        self._on_error = on_error

    @property
    def is_on(self) -> bool:
        """Whether the last call failed."""
        return bool(self._heartbeat.trouble)

    def begin(self, error: ServerError) -> None:
        """Note that the server did not answer."""
        cause = str(error)
        is_new, self._heartbeat.trouble = cause != self._heartbeat.trouble, cause
        self._finisher.begin_outage()
        repeats.warn(_log, f"worker of queue {self._queue}", error)
        if is_new and self._on_error is not None:
            self._on_error(error)

    def end(self) -> None:
        """Note that the server answers."""
        if self._heartbeat.trouble:
            self._finisher.end_outage(self._lenient_seconds)
            repeats.over(self._heartbeat.trouble)
            _log.info("worker of queue %s: the server answers again", self._queue)
        self._heartbeat.reply()
