"""Actions on many jobs: run in bounded steps in the background, with progress, and stopped on request."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from stockyard.errors import JobError, StockyardError

STEP = 100
"""Jobs that one step changes."""
_MOST_REFUSED = 20
_MOST_REMEMBERED = 50
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Operation:
    """One action on many jobs.

    Attributes:
        id: of the operation.
        title: what it does, for people.
        who: who began it.
        queue: name of the queue.
        began: seconds since the epoch.
        total: jobs that it is about, or None while that is not known.
        looked_at: jobs that were looked at to find them.
        done: jobs that were changed.
        refused: jobs that could not be changed, of the first ones the reason.
        refused_count: how many these are.
        error: why it broke off, or empty.
        is_over: whether it has ended.
        is_stopped: whether it was asked to stop.
    """

    id: str
    title: str
    who: str
    queue: str
    began: float
    total: int | None = None
    looked_at: int = 0
    done: int = 0
    refused: list[str] = field(default_factory=list)
    refused_count: int = 0
    error: str = ""
    is_over: bool = False
    is_stopped: bool = False

    @property
    def share(self) -> float | None:
        """How much of it is done, from 0 to 1, or None where that is not known."""
        if self.is_over and not self.error and not self.is_stopped:
            return 1.0
        return None if not self.total else min((self.done + self.refused_count) / self.total, 1.0)

    @property
    def state(self) -> str:
        """What to show of it in one word."""
        if not self.is_over:
            return "stopping" if self.is_stopped else "running"
        return "broken off" if self.error else "stopped" if self.is_stopped else "done"

    @property
    def summary(self) -> str:
        """What came of it, in one line."""
        text = f"{self.done} changed, {self.refused_count} refused"
        return f"{text}; {self.state}" + (f": {self.error}" if self.error else "")

    def refuse(self, subject: str, reason: object) -> None:
        """Note a job that could not be changed."""
        self.refused_count += 1
        if len(self.refused) < _MOST_REFUSED:
            self.refused.append(f"{subject}: {reason}")

    async def change_each(self, job_ids: Sequence[str], change: Callable[[str], Awaitable[object]]) -> None:
        """Change jobs, step by step, until it is asked to stop; a job that refuses is noted."""

        async def one(job_id: str) -> None:
            try:
                await change(job_id)
            except JobError as error:
                self.refuse(job_id, error)
            else:
                self.done += 1

        for at in range(0, len(job_ids), STEP):
            if self.is_stopped:
                return
            await asyncio.gather(*map(one, job_ids[at : at + STEP]))

    async def repeat(self, step: Callable[[], Awaitable[int]]) -> None:
        """Take steps, each of which returns how many jobs it changed, until none is left.

        Jobs that come meanwhile do not keep it going: it ends with as many as there were.
        """
        while not self.is_stopped and (self.total is None or self.done < self.total):
            changed = await step()
            self.done += changed
            if not changed:
                return


class Operations:
    """The operations of this process, the latest 50 of them.

    Args:
        ended: is given each that has ended, as for the audit.
    """

    def __init__(self, ended: Callable[[Operation], Awaitable[object]]) -> None:
        self._ended = ended
        self._known: dict[str, Operation] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def latest(self) -> list[Operation]:
        """Return the operations, the newest first."""
        return list(reversed(self._known.values()))

    def find(self, operation_id: str) -> Operation | None:
        """Return an operation of this process, or None."""
        return self._known.get(operation_id)

    def start(
        self, title: str, *, who: str, queue: str, work: Callable[[Operation], Awaitable[None]]
    ) -> Operation:
        """Begin an operation in the background."""
        operation = Operation(secrets.token_hex(6), title, who, queue, time.time())
        self._known[operation.id] = operation
        for each in [known for known in self._known.values() if known.is_over][:-_MOST_REMEMBERED]:
            del self._known[each.id]
        task = asyncio.create_task(self._run(operation, work), name=f"dashboard operation {operation.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return operation

    async def aclose(self) -> None:
        """Break off what still runs; the jobs that it has changed stay so."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self, operation: Operation, work: Callable[[Operation], Awaitable[None]]) -> None:
        try:
            await work(operation)
        except StockyardError as error:
            operation.error = str(error)
        except asyncio.CancelledError:
            operation.error = "the dashboard was stopped"
            raise
        except Exception:
            _log.exception("operation %r broke off", operation.title)
            operation.error = "the dashboard's log says why"
        finally:
            operation.is_over = True
        try:
            await self._ended(operation)
        except StockyardError as error:
            _log.warning("the end of operation %r is not in the audit: %s", operation.title, error)
