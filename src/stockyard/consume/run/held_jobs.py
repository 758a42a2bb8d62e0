"""Hands back jobs that were taken and are halted: before their handlers begin, and with no attempt used up."""

from __future__ import annotations

import logging
import random
from typing import Any

from stockyard._logging import about, about_job
from stockyard._store import halting
from stockyard._store.keyspace import QueueKeyspace
from stockyard.consume.halt_watch import HaltWatch
from stockyard.consume.run.error_outcome import pause_ms
from stockyard.errors import ServerError
from stockyard.model.halt import halt_keys
from stockyard.model.job import Job
from stockyard.model.outcome import Delayed, Outcome, Requeued

_log = logging.getLogger(__name__)


class HeldJobs:
    """The jobs of one queue that are not to run now.

    Attributes:
        halts: knows what is halted, of any queue: nothing most of the time, and no job is held then.

    Args:
        keyspace: the queue.
        halts: knows what is halted.
        rng: source of jitter. Defaults to a new one.
    """

    def __init__(self, keyspace: QueueKeyspace, halts: HaltWatch, *, rng: random.Random | None = None) -> None:
        self._keyspace = keyspace
        self.halts = halts
        self._rng = rng or random.Random()

    async def outcome(self, job: Job[Any]) -> Outcome | None:
        """Return how the run of a job ends that is not to run now, or None if it may run."""
        halts = self.halts.of(self._keyspace.queue)
        if halts is None:
            return None
        if halts.whole is not None:
            # Its queue is paused: there it waits.
            return Requeued()
        halt = halts.first_of(halt_keys(job.options))
        if halt is None:
            return None
        _log.info("%s does not run now: %s", about(job), halt, extra=about_job(job))
        try:
            await halting.note_held(self._keyspace, job.id)
        except ServerError as error:
            # It runs then when its delay is over, and not when the halt is.
            _log.debug("%s is not noted as held: %s", about(job), error)
        # Waiting, it would be taken again at once, in place of the jobs of other keys.
        return Delayed(pause_ms(job, self._rng))
