"""What a processor raised, in the words in which the port stores it."""

from __future__ import annotations

import traceback
from typing import Any

from stockyard import errors
from stockyard.compat.bullmq.custom_errors import UnrecoverableError


class Failure(errors.StockyardError):
    """What a processor raised; its message alone is the reason that is stored, as the port writes it.

    Attributes:
        error: what was raised.
        job: the job.
        traceback: the text that is stored.
    """

    def __init__(self, error: BaseException, job: Any) -> None:
        super().__init__(str(error))
        self.error = error
        self.job = job
        self.traceback = "".join(traceback.format_exception(error))


class FinalFailure(Failure, errors.UnrecoverableError):
    """The same of an error after which there is no other attempt."""


# The engine writes the class before the message, but for these two.
Failure.__name__ = "StockyardError"
FinalFailure.__name__ = "UnrecoverableError"


def failure_of(error: BaseException, job: Any) -> Failure:
    """Return what the engine is given for an error.

    Args:
        error: what was raised.
        job: the job, for a backoff strategy.
    """
    is_final = isinstance(error, UnrecoverableError | errors.UnrecoverableError)
    return (FinalFailure if is_final else Failure)(error, job)
