"""What became of the jobs of one ``add_many``, and the error where some were not added or not confirmed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stockyard._store.jobs.adding import Answer
from stockyard.errors import NotDurable, QueueFull, ServerError, StockyardError
from stockyard.model.job import Job


class ManyAdds:
    """The jobs of one call that adds many, as their answers come.

    Args:
        total: jobs of the call.

    Attributes:
        jobs: those that were added, or were there, in order.
        added: how many are surely in the queue.
    """

    def __init__(self, total: int) -> None:
        self.jobs: list[Job[Any]] = []
        self.added = 0
        self._total = total
        self._unconfirmed: list[str] = []
        self._shortfall: NotDurable | None = None
        self._error: BaseException | None = None
        self._stops = False

    @property
    def stops(self) -> bool:
        """Whether what follows is not sent: the server is away or refuses, or the queue is full."""
        return self._stops

    @property
    def is_unconfirmed(self) -> bool:
        """Whether a confirmation did not come in time, so that none is asked for what follows."""
        return self._shortfall is not None

    def note(self, answer: Answer | BaseException) -> None:
        """Note what became of the next job; an error is raised when all have been noted."""
        if isinstance(answer, NotDurable):
            self.added += 1
            self._unconfirmed.append(answer.job_id)
            self._shortfall = self._shortfall or answer
        elif isinstance(answer, BaseException):
            is_of_one_job = isinstance(answer, StockyardError) and not isinstance(answer, ServerError | QueueFull)
            if self._error is None or not (is_of_one_job or self._stops):
                self._error = answer
            self._stops = self._stops or not is_of_one_job
        else:
            self.added += 1
            if self._shortfall is not None:
                self._unconfirmed.append(answer if isinstance(answer, str) else answer.job_id)

    @classmethod
    def of_parts(cls, parts: Iterable[ManyAdds]) -> ManyAdds:
        """Return what became of jobs that were added in several parts; their jobs are left to the parts."""
        whole = cls(0)
        for part in parts:
            whole.added += part.added
            whole._total += part._total
            whole._unconfirmed += part._unconfirmed
            whole._shortfall = whole._shortfall or part._shortfall
            if whole._error is None or (part._stops and not whole._stops):
                whole._error = part._error or whole._error
            whole._stops = whole._stops or part._stops
        return whole

    def check(self) -> None:
        """Raise the error of a job or of its call, and how many were added; else that some are not confirmed."""
        if self._error is not None:
            raise self._with_count(self._error) from self._error.__cause__
        if self._shortfall is not None:
            first = self._shortfall
            raise NotDurable(first.job_id, first.durability, first.why, self._unconfirmed)

    def _with_count(self, error: BaseException) -> BaseException:
        if self._total == 1 or not isinstance(error, StockyardError):
            return error
        text = f"{error}; of the {self._total} jobs, {self.added} were surely added"
        if self._unconfirmed:
            text += f", {len(self._unconfirmed)} of these without a confirmed durability"
        # Calls of others may have been given the same error: it is not changed for them.
        counted = type(error).__new__(type(error))
        counted.__dict__.update(error.__dict__)
        counted.args = (text,)
        return counted
