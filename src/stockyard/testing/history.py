"""Notes what a test adds and what its handlers do, and checks that every job of the queue is accounted for."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from typing import Any, Unpack

from msgspec import UNSET

from stockyard._store.remains import read_remains
from stockyard.consume.run.handler_call import CallNext
from stockyard.errors import InvalidOption, NotDurable, ReplyLost, RunSignal, StockyardError, UnrecoverableError
from stockyard.model.job import Job
from stockyard.model.options import AddOptions
from stockyard.produce.queue import Queue, keyspace_of
from stockyard.testing.judgement import Faults, HistoryReport, Note, judge


class History:
    """What happened to the jobs of one queue in a test, whatever faults it played.

    Add jobs by ``add``, give workers ``middleware=[history.middleware]``, and note in the doubles of outside
    systems what was done there, by ``effect``. ``check`` compares that with what the server holds.

    Args:
        queue: a queue without shards.

    Raises:
        InvalidOption: the queue has shards.

    Example:
        history = History(app.queue("orders"))
        async with running(app.worker("orders", middleware=[history.middleware])):
            await history.add("submit", "A1")
            ...
        report = await history.check()
        assert report.doubled == 0
    """

    def __init__(self, queue: Queue) -> None:
        if queue.spec.shards > 1:
            raise InvalidOption(f"queue {queue.name!r} has shards: a history is of a queue without")
        self._queue = queue
        self._notes: list[Note] = []
        self._effects: Counter[str] = Counter()

    async def add(self, name: str, data: Any = UNSET, **options: Unpack[AddOptions]) -> Job[Any]:
        """Add a job, and note what became of that; the arguments are those of ``Queue.add``.

        A job without ``job_id`` gets one, so that it is known even if the reply is lost. The errors are those of
        ``Queue.add``.
        """
        options["job_id"] = job_id = options.get("job_id") or uuid.uuid4().hex
        self._note("try", job_id)
        try:
            job = await self._queue.add(name, data, **options)
        except (ReplyLost, NotDurable):
            self._note("unsure", job_id)
            raise
        except StockyardError:
            self._note("refused", job_id)
            raise
        self._note("ack", job_id)
        return job

    async def middleware(self, job: Job[Any], call_next: CallNext) -> Any:
        """Note that a run starts, and how it ends: give it to workers, as ``middleware=[history.middleware]``."""
        self._note("start", job.id, job.attempts_started)
        result = "again"
        try:
            value = await call_next(job)
            result = "completed"
            return value
        except (RunSignal, asyncio.CancelledError):
            raise
        except BaseException as error:
            if job.attempt >= job.options.attempts or isinstance(error, UnrecoverableError):
                result = "failed"
            raise
        finally:
            self._note("end", job.id, job.attempts_started, result)

    def effect(self, key: str) -> None:
        """Note that something was done outside that must be done at most once, such as an order that was accepted.

        Args:
            key: what names it, such as the client order id.
        """
        self._effects[key] += 1

    async def is_over(self) -> bool:
        """Whether every job of the queue has ended, or failed for good; for ``eventually``."""
        remains = await read_remains(keyspace_of(self._queue))
        return not remains.unended

    async def report(self) -> HistoryReport:
        """Return what became of the jobs; its ``problems`` say what should not be.

        Raises:
            ServerError: the server did not answer.
        """
        remains = await read_remains(keyspace_of(self._queue))
        notes = _with_failures(self._notes, remains.ended)
        report = judge(sorted(notes), remains, Faults((), time.time()), workers=())
        report.problems += [
            f"effect {key} was applied {times} times" for key, times in self._effects.items() if times > 1
        ]
        return report

    async def check(self) -> HistoryReport:
        """Assert that every job is accounted for, once all have ended.

        Every add that was acknowledged is in the queue, once, and has ended; none that was refused is there; each
        ended as a run of it did, and its end was announced once; it ran again only where an attempt failed, its
        worker was lost, or it was handed back; no job is left locked; and no effect was applied twice.

        Returns:
            The report: ``acknowledged``, ``unsure``, ``doubled`` (jobs that ran to their end more than once, as
            jobs of lost workers may), and more.

        Raises:
            AssertionError: it lists every problem.
            ServerError: the server did not answer.
        """
        report = await self.report()
        if report.problems:
            lines = "".join(f"\n  - {problem}" for problem in report.problems)
            raise AssertionError(f"the history of queue {self._queue.name!r} has problems:{lines}")
        return report

    def _note(self, what: str, job_id: str, run: int = 0, result: str = "") -> None:
        self._notes.append(Note(time.time(), what, job_id, job_id, run, result, "test"))


def _with_failures(notes: list[Note], ended: dict[str, str]) -> list[Note]:
    """Return the notes; the last run of a job that is failed failed it, whatever kept it from another attempt."""
    last = {note.key: at for at, note in enumerate(notes) if note.what == "end"}
    return [
        note._replace(result="failed")
        if last.get(note.key) == at and note.result == "again" and ended.get(note.job_id) == "failed"
        else note
        for at, note in enumerate(notes)
    ]
