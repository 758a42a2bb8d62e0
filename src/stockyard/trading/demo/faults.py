"""Failures on purpose: a middleware that lets a share of runs fail, before or after their work."""

from __future__ import annotations

import random
from typing import Any

from stockyard.consume.run.handler_call import CallNext
from stockyard.errors import StockyardError
from stockyard.model.job import Job

SHARE = 0.04
"""Of the first attempts, so many fail before their work, and as many after it."""


class InjectedFault(StockyardError):
    """A failure that was asked for."""


class Faults:
    """Lets first attempts fail, the same ones in every replay of a seed.

    Args:
        seed: decides which.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    async def __call__(self, job: Job[Any], call_next: CallNext) -> Any:
        """Run around a job."""
        chance = 1.0
        if job.attempts_started == 1 and job.options.attempts > 1:
            chance = random.Random(f"{self._seed}|{job.queue}|{job.id}").random()
        if chance < SHARE:
            raise InjectedFault("injected: failed before its work")
        result = await call_next(job)
        if chance < 2 * SHARE:
            raise InjectedFault("injected: failed after its work, before that was recorded")
        return result
