"""Waits for the end of jobs by reading their queue's event stream once for all who wait."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

from stockyard._aio.per_loop import PerLoop
from stockyard._aio.retry_delay import RetryDelay
from stockyard._aio.shared import cancelled
from stockyard._store.jobs import reading
from stockyard._store.jobs.rows import json_or_text
from stockyard._store.jobs.streams import BEGINNING, Entry, EventStream, is_later
from stockyard._store.keyspace import QueueKeyspace
from stockyard.errors import JobFailed, JobNotFound, ResultTimeout, ServerError

_LOOK_AGAIN = 5.0
_LINGER = 1.0
"""Seconds for which the stream is read on when nobody waits any more: opening it takes as long as a short job."""

_FRESH, _FRESH_SECONDS = 1_000, 1.0
"""Jobs that are known to have been added, and not to have ended, while the stream was read; and for how long that
counts, should the reader fall behind."""

_TURNS = 2
"""Turns of the loop in which what the server has sent together with the reply to an add is read, too."""

_ENDS = ("completed", "failed", "removed")
_REMOVALS = ("cleaned", "obliterated")
"""Events after which jobs are gone that no event names."""


class Results:
    """The awaited ends of one queue's jobs; each loop that waits has a reader of its own.

    Args:
        keyspace: the queue.
        monotonic: gives the seconds by which readers end. Defaults to ``time.monotonic``.
    """

    def __init__(self, keyspace: QueueKeyspace, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._readers = PerLoop(lambda: _Reader(keyspace, monotonic))

    async def wait(self, job_id: str, timeout: float | None) -> Any:
        """Return the job's result when it has ended.

        Args:
            job_id: the job.
            timeout: seconds, or None for no limit.

        Raises:
            JobFailed: it ended failed.
            ResultTimeout: it did not end in time.
            JobNotFound: its record does not exist (any more), and the queue's event stream does not hold its end.
            SharedWorkCancelled: the App was closed.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._readers.get().wait(job_id)
        except TimeoutError:
            raise ResultTimeout(
                f"job {job_id} did not end within {timeout:g} s: it runs still, or waits for a "
                "worker, for its delay or for other jobs; await job.state() says which"
            ) from None

    async def aclose(self) -> None:
        """End this loop's reader; callers that wait get an error that it was cancelled."""
        reader = self._readers.pop()
        if reader is not None:
            await reader.stop()


class _Reader:
    def __init__(self, keyspace: QueueKeyspace, monotonic: Callable[[], float]) -> None:
        self._keyspace = keyspace
        self._monotonic = monotonic
        self._left_at = 0.0
        self._stream = EventStream(keyspace)
        self._waiters: dict[str, set[_Waiter]] = {}
        self._task: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._fresh: dict[str, float] = {}
        self._sought: set[str] = set()
        self._seeking = asyncio.Lock()

    async def wait(self, job_id: str) -> Any:
        waiter = _Waiter()
        self._waiters.setdefault(job_id, set()).add(waiter)
        try:
            async with self._starting:
                if self._task is None or self._task.done():
                    # The position is fixed before the state is read, so that no end falls between the two.
                    await self._stream.start()
                    self._task = asyncio.create_task(self._read(), name=f"results of {self._keyspace.queue}")
            if await self._is_fresh(job_id):
                waiter.start_after(BEGINNING)
            else:
                await self._look(job_id)
            return await waiter.future
        finally:
            waiters = self._waiters.get(job_id, set())
            waiters.discard(waiter)
            if not waiters:
                self._waiters.pop(job_id, None)
            self._left_at = self._monotonic()

    async def _is_fresh(self, job_id: str) -> bool:
        """Say whether the job was added while the stream was read, and has not ended: no need to ask."""
        # A number is never given twice, while an id of the producer's own may have had an earlier job.
        if not self._keyspace.is_numbered(job_id):
            return False
        for _ in range(_TURNS):
            if job_id in self._fresh:
                break
            await asyncio.sleep(0)
        return self._monotonic() - self._fresh.get(job_id, -math.inf) < _FRESH_SECONDS

    async def stop(self) -> None:
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.fail(cancelled("the wait for a result"))
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._stream.close()

    async def _read(self) -> None:
        retry_delay = RetryDelay()
        while True:
            while (seconds := self._seconds()) > 0:
                try:
                    events, gap = await self._stream.read(seconds)
                    retry_delay.reset()
                    for event in events:
                        self._dispatch(event)
                    is_cut = gap is not None or any(event.name in _REMOVALS for event in events)
                    if is_cut:
                        self._fresh.clear()
                    if is_cut or not events:
                        await self._look_at_all()
                except ServerError:
                    self._fresh.clear()
                    await retry_delay.wait()
            # Under the lock: who comes while the stream closes starts another reader.
            async with self._starting:
                if not self._waiters:
                    self._fresh.clear()
                    await self._stream.close()
                    return

    def _seconds(self) -> float:
        """Return how long to wait for the next event; 0 or less to end."""
        return _LOOK_AGAIN if self._waiters else self._left_at + _LINGER - self._monotonic()

    async def _look_at_all(self) -> None:
        """An end may lie in a gap of the stream, or was never announced: ask for the states."""
        for job_id in list(self._waiters):
            await self._look(job_id)

    async def _look(self, job_id: str) -> None:
        ending = await reading.read_state(self._keyspace, job_id)
        is_gone = ending.state not in ("completed", "failed") and not ending.exists
        for waiter in list(self._waiters.get(job_id, ())):
            if ending.state == "completed":
                waiter.succeed(ending.value)
            elif ending.state == "failed":
                waiter.fail(JobFailed(job_id, ending.reason or ""))
            else:
                waiter.start_after(BEGINNING if is_gone else ending.last_event)
        if is_gone and self._is_awaited(job_id):
            await self._seek(job_id)

    def _is_awaited(self, job_id: str) -> bool:
        return any(not waiter.future.done() for waiter in self._waiters.get(job_id, ()))

    async def _seek(self, job_id: str) -> None:
        """Look in the stream for the end of a job whose record is gone; one looks for all who came meanwhile."""
        self._sought.add(job_id)
        async with self._seeking:
            if job_id not in self._sought:
                return
            sought, self._sought = self._sought, set()
            try:
                found = await reading.find_endings(self._keyspace, sought)
            except BaseException:
                self._sought |= sought
                raise
        for each in sought:
            name, text = found.get(each, ("", b""))
            for waiter in list(self._waiters.get(each, ())):
                if name == "completed":
                    waiter.succeed(text)
                elif name == "failed":
                    waiter.fail(JobFailed(each, text.decode(errors="replace")))
                else:
                    waiter.fail(_missing(each))

    def _dispatch(self, event: Entry) -> None:
        if event.name == "added":
            self._fresh[event.job_id] = self._monotonic()
            if len(self._fresh) > _FRESH:
                del self._fresh[next(iter(self._fresh))]
        elif event.name in _ENDS:
            self._fresh.pop(event.job_id, None)
        for waiter in list(self._waiters.get(event.job_id, ())):
            waiter.receive(event)


class _Waiter:
    """A caller that waits for the end of a job, and is not misled by the end of an earlier run."""

    def __init__(self) -> None:
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._since: str | None = None
        self._early: list[Entry] = []

    def start_after(self, since: str) -> None:
        """Consider the events after this one, also those that have come already."""
        self._since = since
        early, self._early = self._early, []
        for event in early:
            self.receive(event)

    def receive(self, event: Entry) -> None:
        if self._since is None:
            self._early.append(event)
        elif is_later(event.id, self._since):
            if event.name == "completed":
                self.succeed(event.result)
            elif event.name == "failed":
                self.fail(JobFailed(event.job_id, event.failed_reason))
            elif event.name == "removed":
                self.fail(_missing(event.job_id))

    def succeed(self, value: bytes | None) -> None:
        if not self.future.done():
            self.future.set_result(json_or_text(value or b"null"))

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


def _missing(job_id: str) -> JobNotFound:
    return JobNotFound(
        job_id, f"job {job_id} does not exist (any more), and the event stream does not hold its end"
    )
