"""Shows which jobs a worker holds; their locks are renewed by a process of its own."""

from __future__ import annotations

from typing import Protocol


class Holder(Protocol):
    """A worker, as its lock manager knows it."""

    running: bool

    def active_ids(self) -> list[str]:
        """Return the ids of the jobs that run."""

    def cancelJob(self, job_id: str, reason: str | None = None) -> bool:
        """Set the signal of a job."""

    def cancelAllJobs(self, reason: str | None = None) -> None:
        """Set the signals of all jobs."""


class LockManager:
    """The jobs that a worker holds; ``Worker.lockManager``.

    Args:
        worker: the worker.
    """

    def __init__(self, worker: Holder) -> None:
        self._worker = worker

    def get_active_job_count(self) -> int:
        """Return how many jobs run."""
        return len(self._worker.active_ids())

    def get_tracked_job_ids(self) -> list[str]:
        """Return the ids of the jobs that run."""
        return self._worker.active_ids()

    def is_running(self) -> bool:
        """Return whether the worker takes jobs."""
        return self._worker.running

    def cancel_job(self, job_id: str, reason: str | None = None) -> bool:
        """Set the ``AbortSignal`` of a job; say whether it has one."""
        return self._worker.cancelJob(job_id, reason)

    def cancel_all_jobs(self, reason: str | None = None) -> None:
        """Set the ``AbortSignal`` of every job."""
        self._worker.cancelAllJobs(reason)

    async def close(self) -> None:
        """Do nothing: locks are renewed until their jobs have ended."""
