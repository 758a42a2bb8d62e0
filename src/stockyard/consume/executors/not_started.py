"""What is raised when the machine has no thread or process for a job."""

from __future__ import annotations

from stockyard.errors import StockyardError, WorkerProcessDied


class NotStarted(StockyardError):
    """The machine gave no thread or process: the handler was not entered, and the job lost no attempt."""


class ChildNotStarted(NotStarted, WorkerProcessDied):
    """The machine gave no child process, or killed it before it took a job."""
