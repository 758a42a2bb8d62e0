"""The runs in hand of one worker, and what may break one off."""

from __future__ import annotations

import asyncio
from typing import Any

from stockyard.consume.run.invocation import Invocation
from stockyard.consume.worker_metrics import JobCounters
from stockyard.leases.table import Lease


class Run(Invocation, kw_only=True, eq=False):
    """One job in hand.

    Attributes:
        token: of its lock.
        slot: of its lease.
        counters: count it.
        task: runs it.
        seconds: how long it ran; None if it did not.
    """

    token: str
    slot: int
    counters: JobCounters
    task: asyncio.Task[None] | None = None
    seconds: float | None = None


class ActiveRuns:
    """The jobs that one worker runs at this moment."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], Run] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def of_task(self, task: asyncio.Task[Any]) -> Run | None:
        """Return the run of a task, or None; in any thread."""
        return next((run for run in list(self._runs.values()) if run.task is task), None)

    def runs(self) -> list[Run]:
        """Return all of them, in any thread."""
        return list(self._runs.values())

    def add(self, run: Run) -> None:
        """Enter a run that begins."""
        self._runs[run.job.id, run.token] = run

    def remove(self, run: Run) -> None:
        """Strike out a run that ended."""
        del self._runs[run.job.id, run.token]

    def job_ids(self) -> list[str]:
        """Return the ids of the jobs that run."""
        return [run.job.id for run in self._runs.values()]

    def lose(self, lease: Lease) -> Run | None:
        """Break off a run whose lease passed to another worker, and return it; None if it does not run here."""
        run = self._runs.get((lease.job_id, lease.token))
        if run is None or run.task is None:
            return None
        run.is_lost = True
        run.task.cancel("its lease passed to another worker")
        return run

    def cancel(self, job_id: str, reason: str) -> None:
        """Break off the run of a job, which fails without a retry; nothing happens if it does not run here."""
        for run in self._runs.values():
            if run.job.id == job_id and run.task is not None and run.cancelled is None:
                run.cancelled = reason
                run.task.cancel(f"the job was {reason}")

    def abandon_all(self) -> None:
        """Break off every run and write nothing of it: its job stays active until its lease has run out."""
        for run in list(self._runs.values()):
            if run.task is not None:
                run.is_lost = True
                run.task.cancel("the worker was closed by force")

    async def wait_idle(self) -> None:
        """Return when no job runs."""
        while self._runs:
            await asyncio.wait([run.task for run in self._runs.values() if run.task is not None])

    async def hand_back_all(self) -> None:
        """Break off every run; each goes back to where it waited, without having used up an attempt."""
        for run in list(self._runs.values()):
            if run.task is not None:
                run.task.cancel("the worker stops, and its grace is over; the job was handed back")
        await self.wait_idle()
