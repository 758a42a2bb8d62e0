"""Collects ended runs, hands them out in batches, and reads the server's reply for each."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence

from stockyard._store.jobs.finishing import WHY_NOT_WRITTEN
from stockyard._store.load_size import MOST_BYTES
from stockyard._store.records import ReplyCode, StartedRecord
from stockyard.consume.run.end_listener import EndListener
from stockyard.consume.run.ending import Ending
from stockyard.model.outcome import Completed, Failed, Requeued, Retried

_log = logging.getLogger(__name__)

_CHILDREN = (ReplyCode.CHILDREN_PENDING, ReplyCode.CHILDREN_FAILED)
# A name of the module: reading a member of the class costs ten times as much, for each run.
_RAN_OUT = ReplyCode.LOCK_MISSING
_LOST = (_RAN_OUT, ReplyCode.LOCK_MISMATCH)
_GONE = (ReplyCode.JOB_MISSING, _RAN_OUT, ReplyCode.WRONG_STATE)


class Finisher:
    """The ended runs of one worker that are not written yet.

    Args:
        queue: name, for the log.
        listener: reacts to what the server answers.
        on_ended: called when there is something to write.

    Attributes:
        restores_locks: the server evicts keys: a lock that is gone when its run ends may still be ours. Elsewhere
            another worker took it, and the end is not written.
    """

    def __init__(
        self,
        queue: str,
        *,
        listener: EndListener,
        on_ended: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._listener = listener
        self._on_ended = on_ended
        self._ended: deque[Ending] = deque()
        self._bytes = 0
        self.restores_locks = False
        self._lenient_until = 0.0

    def __len__(self) -> int:
        return len(self._ended)

    def put(self, run: Ending) -> None:
        """Take over a run that ended."""
        self._ended.append(run)
        outcome = run.outcome
        self._bytes += len(outcome.value) if type(outcome) is Completed else _size(run)
        self._on_ended()

    def hand_back(self, records: Sequence[StartedRecord], token: str) -> None:
        """Take over jobs that are not to run: they go back to where they waited."""
        for record in records:
            self.put(Ending(record.shown_id, token, Requeued(), record.start_number))

    def batch(self, size: int, most_bytes: int = MOST_BYTES) -> list[Ending]:
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

    def give_back(self, runs: list[Ending], *, may_be_written: bool) -> None:
        """Take runs again whose call failed, to be sent first."""
        self.hold_up(runs)
        if may_be_written:
            for run in runs:
                run.may_be_written = True
        self._ended.extendleft(reversed(runs))
        self._bytes += sum(map(_size, runs))

    def hold_up(self, runs: list[Ending]) -> None:
        """Note that the server was away when these were written: their locks may have run out meanwhile."""
        for run in runs:
            run.was_held_up = True

    def begin_outage(self) -> None:
        """Note that the server is away: the locks of all runs may run out, also of those that have not ended."""
        self._lenient_until = math.inf

    def end_outage(self, seconds: float) -> None:
        """Note that the server is back; for so long, a lock that is gone may not have been renewed yet."""
        self._lenient_until = time.monotonic() + seconds

    @property
    def _is_lenient(self) -> bool:
        return time.monotonic() < self._lenient_until

    def unlocked(self, runs: list[Ending]) -> list[Ending]:
        """Return those of the runs whose locks were gone when they were sent.

        They were evicted, or ran out while the server was away: ``renew`` restores what is still ours.
        """
        return [run for run in runs if run.is_unlocked]

    def lose(self, runs: list[Ending], moment: int) -> None:
        """Note that these runs are not ours any more."""
        for run in runs:
            self._settle(run, _RAN_OUT, moment)

    def read(self, runs: list[Ending], codes: list[int | str], moment: int) -> None:
        """Note what became of each run of a batch that was written at that moment."""
        if not any(codes):
            self._listener.written(runs, moment)
            return
        for run, code in zip(runs, codes, strict=True):
            if code == _RAN_OUT and (self.restores_locks or run.was_held_up or self._is_lenient):
                run.is_unlocked = True
                self.put(run)
            elif code in _CHILDREN:
                outcome = self._listener.refused(run, int(code))
                self.put(Ending(run.job_id, run.token, outcome, run.starts, run.run))
            else:
                self._settle(run, code, moment)

    def _settle(self, run: Ending, code: int | str, moment: int) -> None:
        # Of a run that is gone, the call whose reply was lost had written the end.
        if code == 0 or (code in _GONE and run.may_be_written):
            self._listener.written([run], moment)
            return
        self._listener.unwritten(run)
        if code in _LOST and run.run is not None:
            self._listener.lost(run.run)
        why = WHY_NOT_WRITTEN.get(code, "") if isinstance(code, int) else code
        if not isinstance(run.outcome, Requeued):
            _log.warning("the end of job %s of queue %s is not recorded: %s", run.job_id, self._queue, why)


def _size(run: Ending) -> int:
    match run.outcome:
        case Completed(value):
            return len(value)
        case Failed(reason, stacktrace) | Retried(reason, stacktrace):
            return len(reason) + sum(map(len, stacktrace))
        case _:
            return 0
