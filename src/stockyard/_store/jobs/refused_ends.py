"""Why the children of a job do not let its run end, in the words that every peer writes."""

from __future__ import annotations

from stockyard._store.records import ReplyCode
from stockyard.errors import StockyardError, UnrecoverableError
from stockyard.model.outcome import Completed, Outcome


def refusal(job_id: str, outcome: Outcome, code: int) -> StockyardError:
    """Return the error of a run whose outcome was answered with a code of its job's children."""
    if code == ReplyCode.CHILDREN_PENDING:
        return StockyardError(f"Job {job_id} has pending dependencies. moveToFinished")
    step = "moveToFinished" if isinstance(outcome, Completed) else "moveToWaitingChildren"
    return UnrecoverableError(f"Cannot complete job {job_id} because it has at least one failed child. {step}")
