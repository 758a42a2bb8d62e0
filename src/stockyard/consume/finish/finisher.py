"""Collects ended runs, hands them out in batches, and reads what the server said of each."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable

from stockyard._store.finishing import WHY_NOT_WRITTEN, EndedRun
from stockyard._store.load_size import MOST_BYTES
from stockyard._store.records import ReplyCode
from stockyard.model.outcome import Completed, Failed, HandedBack, Outcome, Retried

_log = logging.getLogger(__name__)

_CHILDREN = (ReplyCode.CHILDREN_PENDING, ReplyCode.CHILDREN_FAILED)
# A name of the module: reading a member of the class costs ten times as much, for each run.
_RAN_OUT = ReplyCode.LOCK_MISSING
_GONE = (ReplyCode.JOB_MISSING, _RAN_OUT, ReplyCode.WRONG_STATE)


class Finisher:
    """The ended runs of one worker that are not written yet.

    Args:
        queue: name, for the log.
        on_ended: called when a run was put.
        on_settled: called with a run that is not sent any more.
        on_written: called with a run whose end was written, and when, in ms since the epoch.
        on_refused: called with a run that its job's children do not let end so, and the server's code; returns
            how it ends instead.

    Attributes:
        restores_locks: the server evicts keys: a lock that is gone when its run ends may still be ours. Elsewhere
            somebody took it away, and the end is not written.
    """

    def __init__(
        self,
        queue: str,
        *,
        on_ended: Callable[[], None],
        on_settled: Callable[[EndedRun], None],
        on_written: Callable[[EndedRun, int], None],
        on_refused: Callable[[EndedRun, int], Outcome],
    ) -> None:
        self._queue = queue
        self._on_ended = on_ended
        self._on_settled = on_settled
        self._on_written = on_written
        self._on_refused = on_refused
        self._ended: deque[EndedRun] = deque()
        self._bytes = 0
        self._sent_before: set[tuple[str, str]] = set()
        self._held_up: set[tuple[str, str]] = set()
        self._unlocked: set[tuple[str, str]] = set()
        self.restores_locks = False
        self._lenient_until = 0.0

    def __len__(self) -> int:
        return len(self._ended)

    def put(self, run: EndedRun) -> None:
        """Take over a run that ended."""
        self._ended.append(run)
        outcome = run.outcome
        self._bytes += len(outcome.value) if type(outcome) is Completed else _size(run)
        self._on_ended()

    def skip(self) -> None:
        """Take note of a run that ended with nothing to write: its place is free."""
        self._on_ended()

    def batch(self, size: int, most_bytes: int = MOST_BYTES) -> list[EndedRun]:
        """Hand out up to so many, with results of up to so many bytes; the caller writes them, or gives them back.

        A single one may be larger.
        """
        ended = self._ended
        if len(ended) <= size and self._bytes <= most_bytes:
            runs = list(ended)
            ended.clear()
            self._bytes = 0
            return runs
        runs, total = [], 0
        while ended and len(runs) < size and (not runs or total + _size(ended[0]) <= most_bytes):
            total += _size(ended[0])
            runs.append(ended.popleft())
        self._bytes -= total
        return runs

    def give_back(self, runs: list[EndedRun], *, may_be_written: bool) -> None:
        """Take runs again whose call failed, to be sent first."""
        self.hold_up(runs)
        if may_be_written:
            self._sent_before.update((run.job_id, run.token) for run in runs)
        self._ended.extendleft(reversed(runs))
        self._bytes += sum(map(_size, runs))

    def hold_up(self, runs: list[EndedRun]) -> None:
        """Note that the server was away when these were written: their locks may have run out meanwhile."""
        self._held_up.update((run.job_id, run.token) for run in runs)

    def begin_outage(self) -> None:
        """Note that the server is away: the locks of all runs may run out, also of those that have not ended."""
        self._lenient_until = math.inf

    def end_outage(self, seconds: float) -> None:
        """Note that the server is back; for so long, a lock that is gone may not have been renewed yet."""
        self._lenient_until = time.monotonic() + seconds

    @property
    def _is_lenient(self) -> bool:
        return time.monotonic() < self._lenient_until

    def unlocked(self, runs: list[EndedRun]) -> list[EndedRun]:
        """Return those of the runs whose locks were gone when they were sent.

        They were evicted, or ran out while the server was away: ``renew`` restores what is still ours.
        """
        return [run for run in runs if (run.job_id, run.token) in self._unlocked] if self._unlocked else []

    def lose(self, runs: list[EndedRun], moment: int) -> None:
        """Note that these runs are not ours any more."""
        for run in runs:
            self._settle(run, _RAN_OUT, moment)
            self._forget(run)

    def read(self, runs: list[EndedRun], codes: list[int | str], moment: int) -> None:
        """Note what became of each run of a batch that was written at that moment."""
        for run, code in zip(runs, codes, strict=True):
            key = run.job_id, run.token
            if code == _RAN_OUT and (self.restores_locks or key in self._held_up or self._is_lenient):
                self._unlocked.add(key)
                self.put(run)
                continue
            if code in _CHILDREN:
                self.put(run._replace(outcome=self._on_refused(run, int(code))))
            else:
                self._settle(run, code, moment)
            if self._sent_before or self._unlocked or self._held_up:
                self._forget(run)

    def _forget(self, run: EndedRun) -> None:
        key = run.job_id, run.token
        self._unlocked.discard(key)
        self._held_up.discard(key)
        self._sent_before.discard(key)

    def _settle(self, run: EndedRun, code: int | str, moment: int) -> None:
        self._on_settled(run)
        # Of a run that is gone, the call whose reply was lost had written the end.
        if code == 0 or (code in _GONE and (run.job_id, run.token) in self._sent_before):
            self._on_written(run, moment)
            return
        why = WHY_NOT_WRITTEN.get(code, "") if isinstance(code, int) else code
        if not isinstance(run.outcome, HandedBack):
            _log.warning("the end of job %s of queue %s is not recorded: %s", run.job_id, self._queue, why)


def _size(run: EndedRun) -> int:
    match run.outcome:
        case Completed(value):
            return len(value)
        case Failed(reason, stacktrace) | Retried(reason, stacktrace):
            return len(reason) + sum(map(len, stacktrace))
        case _:
            return 0
