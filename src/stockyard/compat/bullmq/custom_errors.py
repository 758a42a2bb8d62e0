"""The exceptions of the port: those that processors raise, and those of its calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stockyard import errors


class DelayedError(Exception):
    """Raised by a processor after ``job.moveToDelayed``: the run ends, and the job runs again at its time."""


class WaitingChildrenError(Exception):
    """Raised by a processor after ``job.moveToWaitingChildren``: the job runs again when its children ended."""


class UnrecoverableError(Exception):
    """Raised by a processor: the job fails without another attempt."""


@contextmanager
def as_port(job_id: str | None, command: str, state: str = "", *, parent_key: str | None = None) -> Iterator[None]:
    """Raise the port's exception of a job for the engine's, which is its cause.

    Args:
        job_id: the job.
        command: what the port calls the operation in its messages.
        state: where the job has to be.
        parent_key: the parent of a job that is added, or None.
    """
    try:
        yield
    except errors.JobNotFound as error:
        if parent_key is not None:
            raise TypeError(f"Missing key for parent job {parent_key}. {command}") from error
        raise TypeError(f"Missing key for job {job_id}. {command}") from error
    except errors.LeaseLost as error:
        raise TypeError(f"Missing lock for job {job_id}. {command}") from error
    except errors.JobLocked as error:
        raise RuntimeError(f"Job {job_id} could not be removed because it is locked by another worker") from error
    except errors.JobStateError as error:
        if state:
            raise TypeError(f"Job {job_id} is not in the {state} state. {command}") from error
        raise TypeError(f"{error}. {command}") from error
