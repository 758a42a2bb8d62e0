"""Adds jobs on a connection of its own: batches are written as they fill, and their replies read in order."""

from __future__ import annotations

import time
from collections import deque

from stockyard._store.adding import Answers, Batch, add_command, add_jobs, answers_of
from stockyard._store.link import QueueLink
from stockyard._store.server import is_unknown_script, open_patiently
from stockyard.errors import ServerRefused


class AddStream:
    """The adds of one producer on their way: while the server works on one batch, the next is prepared.

    Args:
        link: the queue.
    """

    def __init__(self, link: QueueLink) -> None:
        self._link = link
        self._line = link.server.dedicated_line()
        self._sent: deque[Batch] = deque()

    @property
    def is_open(self) -> bool:
        """Whether a batch can be written now."""
        return self._line.is_open

    async def open(self) -> None:
        """Connect; tried again until the call timeout.

        Raises:
            ServerUnavailable: nobody answered in that time.
        """
        await open_patiently(self._line, time.monotonic() + self._link.server.call_timeout)
        self._sent.clear()

    def write(self, jobs: Batch) -> None:
        """Put one batch on the wire; the server may run it from now on.

        Raises:
            ServerUnavailable: not connected; nothing was sent.
        """
        self._line.write([add_command(self._link, jobs)])
        self._sent.append(jobs)

    async def read(self) -> Answers:
        """Return the ids, or refusals, of the oldest written batch.

        Raises:
            ReplyLost: they may or may not have been added, nor those written after them.
            ServerRefused: the server answered with an error; those written after them go on.
        """
        jobs = self._sent.popleft()
        (reply,) = await self._line.read(1, self._link.server.call_timeout)
        if is_unknown_script(reply):
            # It did not run: a new server, or one whose scripts were flushed.
            return await add_jobs(self._link, jobs)
        if isinstance(reply, ServerRefused):
            raise reply
        return answers_of(reply, jobs)
