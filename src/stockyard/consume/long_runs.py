"""Notes where a handler stands that runs far longer than others of its name, in the log of its job."""

from __future__ import annotations

import contextlib
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any

from stockyard.consume.executors.threads import stack_of_thread, thread_awaited_in
from stockyard.consume.handler_frames import in_handler
from stockyard.consume.run.active_runs import Run
from stockyard.consume.worker_metrics import BUCKETS, Histogram
from stockyard.errors import StockyardError
from stockyard.model.job import Job
from stockyard.model.stack_note import StackNote

_ENOUGH_RUNS = 20
_TIMES_LONGER = 10
_LEAST_SECONDS = 60.0
_SECONDS_AT_FIRST = 300.0
"""Before enough runs have ended to know what is usual."""

Note = Callable[[Job[Any], StackNote], None]


def limit_of(runs: Histogram) -> float:
    """Return after how many seconds a run is far longer than others: ten times what 95 of 100 took."""
    ended = sum(runs.counts)
    if ended < _ENOUGH_RUNS:
        return _SECONDS_AT_FIRST
    below = 0
    for bound, number in zip((*BUCKETS, BUCKETS[-1]), runs.counts, strict=True):
        below += number
        if below >= ended * 0.95:
            return max(_LEAST_SECONDS, _TIMES_LONGER * bound)
    return _TIMES_LONGER * BUCKETS[-1]


class LongRuns:
    """Looks at the runs in hand now and then; each is noted once.

    Args:
        note: writes it down.
    """

    def __init__(self, note: Note) -> None:
        self._note = note
        self._seen: dict[tuple[str, str], float] = {}
        self._noted: set[tuple[str, str]] = set()

    def look(self, runs: Iterable[Run], now: float) -> None:
        """Look once, from any thread.

        Args:
            runs: those in hand.
            now: by ``time.monotonic``.
        """
        seen: dict[tuple[str, str], float] = {}
        for run in runs:
            key = run.job.id, run.token
            since = seen[key] = self._seen.get(key, now)
            limit = limit_of(run.counters.run)
            if key not in self._noted and now - since > limit:
                self._noted.add(key)
                reason = f"it has run for {now - since:.0f} s; it is far longer than usual beyond {limit:.0f} s"
                self._note(run.job, StackNote(run.job.attempt, reason, stack_of(run)))
        self._seen = seen
        self._noted &= seen.keys()


def write_note(job: Job[Any], note: StackNote) -> None:
    """Write a note into the log of its job, from a thread of its own: the loop may stand still."""

    def write() -> None:
        # It is there for people who look; the job may have ended, and the App may be closing.
        with contextlib.suppress(StockyardError):
            job.sync.log(note.line())

    with contextlib.suppress(RuntimeError):  # the machine gives no thread
        threading.Thread(target=write, name="stockyard stack note", daemon=True).start()


def stack_of(run: Run) -> str:
    """Return where the handler of a run stands; empty where it runs in a child process, or has just ended."""
    if run.task is None or (run.handler is not None and run.handler.executor == "process"):
        return ""
    frames = list(_frames(run.task.get_coro()))
    if frames and (thread := thread_awaited_in(frames[-1])):
        return stack_of_thread(thread)
    stack = traceback.StackSummary.extract((frame, frame.f_lineno) for frame in frames)
    return "".join(traceback.format_list(list(in_handler(stack)))).rstrip()


def _frames(coroutine: Any) -> Iterator[FrameType]:
    """Yield the frame of a coroutine, and of those that it awaits."""
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is None:
            return
        yield frame
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
