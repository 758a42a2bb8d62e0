"""Says which handler blocks a worker's event loop, and where, from a thread beside it."""

from __future__ import annotations

import asyncio
import logging
import math
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from typing import Any, Protocol

from stockyard._aio.process_lock import ProcessLock
from stockyard._logging import about, about_job
from stockyard.consume.handler_frames import in_handler
from stockyard.consume.heartbeat import BEAT_SECONDS, Heartbeat
from stockyard.consume.long_runs import LongRuns, Note, write_note
from stockyard.consume.run.active_runs import Run
from stockyard.consume.worker_metrics import WorkerMetrics
from stockyard.model.stack_note import StackNote

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.25
_LONG_RUNS_SECONDS = 5.0
"""Between two looks for runs that take far longer than others."""


class Runs(Protocol):
    """The runs in hand of a worker."""

    def of_task(self, task: asyncio.Task[Any]) -> Run | None:
        """Return the run of a task, or None for one that runs no job."""

    def runs(self) -> Sequence[Run]:
        """Return all of them, in any thread."""


class LoopWatch:
    """Looks from a thread whether the loop of a worker runs; where it does not, logs what it does instead.

    A line is logged when two looks find the same task running and the loop standing still. A loop that merely gets
    no processor time runs no task then, and is not mentioned. The stack is noted in the log of the job, too, where
    the dashboard finds it; so is that of a run that takes far longer than others.

    Args:
        queue: its name.
        heartbeat: written by the loop.
        active: the runs in hand, to name the job.
        metrics: count how often, and how long.
        after: seconds that the loop may stand still.
        note: writes into the log of a job. Defaults to doing so by a thread.
    """

    def __init__(
        self,
        queue: str,
        *,
        heartbeat: Heartbeat,
        active: Runs,
        metrics: WorkerMetrics,
        after: float,
        note: Note = write_note,
    ) -> None:
        self._queue = queue
        self._heartbeat = heartbeat
        self._active = active
        self._metrics = metrics
        self._after = after
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._suspect: tuple[float, asyncio.Task[object]] | None = None
        self._blocked_since: float | None = None
        self._note = note
        self._long_runs = LongRuns(note)
        self._looked_for_long_runs = -math.inf

    def start(self) -> None:
        """Watch the running loop, unless it may stand still for ever."""
        if math.isinf(self._after):
            return
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        _thread.add(self)

    def stop(self) -> None:
        """Watch no longer."""
        _thread.discard(self)

    def look(self, now: float) -> None:
        """Look once; in the watching thread.

        Args:
            now: by ``time.monotonic``.
        """
        if now - self._looked_for_long_runs >= _LONG_RUNS_SECONDS:
            self._looked_for_long_runs = now
            self._long_runs.look(self._active.runs(), now)
        beat = self._heartbeat.beat
        if self._blocked_since not in (None, beat):
            self._end(beat)
        if self._blocked_since is not None or now - beat < self._after:
            return
        task = asyncio.current_task(self._loop)
        if task is None:
            return
        if self._suspect != (beat, task):
            self._suspect = (beat, task)
            return
        # When in the time between two beats it began to stand still is not known.
        surely = now - beat - BEAT_SECONDS
        if surely < self._after:
            return
        frame = sys._current_frames().get(self._loop_thread)
        self._blocked_since = beat
        self._metrics.blocked += 1
        self._report(task, traceback.extract_stack(frame) if frame else (), surely)

    def _end(self, beat: float) -> None:
        assert self._blocked_since is not None
        seconds = beat - self._blocked_since - BEAT_SECONDS
        self._blocked_since = self._suspect = None
        self._metrics.blocked_seconds += seconds
        _log.warning(
            "the event loop of queue %s runs again after at least %.1f s",
            self._queue,
            seconds,
            extra={"queue": self._queue},
        )

    def _report(self, task: asyncio.Task[object], stack: Sequence[traceback.FrameSummary], seconds: float) -> None:
        run = self._active.of_task(task)
        whose = f"task {task.get_name()!r}" if run is None else about(run.job)
        own = in_handler(stack)
        where = f" at {own[0].filename}:{own[0].lineno} in {own[0].name}" if own else ""
        text = "".join(traceback.format_list(list(own))).rstrip()
        if run is not None:
            reason = f"it has blocked the event loop of its worker for at least {seconds:.1f} s"
            self._note(run.job, StackNote(run.job.attempt, reason, text))
        _log.error(
            "the event loop of queue %s has stood still for at least %.1f s: %s blocks it%s. Meanwhile no other "
            "job of this loop runs. Make a handler that blocks a plain function, which runs in a thread, or give "
            "it executor='process'.\n%s",
            self._queue,
            seconds,
            whose,
            where,
            text,
            extra={"queue": self._queue} if run is None else about_job(run.job),
        )


class _WatchThread:
    """The one thread of a process that looks at all of its loops; it ends when none is left."""

    def __init__(self) -> None:
        self._lock = ProcessLock()
        self._watches: set[LoopWatch] = set()
        self._thread: threading.Thread | None = None

    def add(self, watch: LoopWatch) -> None:
        with self._lock:
            self._watches.add(watch)
            # In a forked child the thread is gone.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="stockyard loop watch", daemon=True)
                self._thread.start()

    def discard(self, watch: LoopWatch) -> None:
        with self._lock:
            self._watches.discard(watch)

    def _run(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            with self._lock:
                watches = list(self._watches)
                if not watches:
                    self._thread = None
                    return
            for each in watches:
                each.look(time.monotonic())


_thread = _WatchThread()
