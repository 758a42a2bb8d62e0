"""Reacts to what the server answered to the end of a run: releases its lease, counts it, has it announced."""

from __future__ import annotations

from collections.abc import Sequence

from stockyard._store.jobs.refused_ends import refusal
from stockyard.consume.run.active_runs import Run
from stockyard.consume.run.announcer import Announcer
from stockyard.consume.run.ending import Ending
from stockyard.consume.run.handler_call import HandlerCall
from stockyard.consume.worker_metrics import OTHER, WorkerMetrics
from stockyard.leases.keeper import LeaseKeeper
from stockyard.model.outcome import Completed, Outcome


class EndListener:
    """What follows the ends of one worker's runs.

    Args:
        call: says how a run ends that may not end as it wanted.
        keeper: keeps the leases.
        metrics: counts ends.
        announcer: logs them and calls hooks.
    """

    def __init__(
        self, *, call: HandlerCall, keeper: LeaseKeeper, metrics: WorkerMetrics, announcer: Announcer
    ) -> None:
        self._call = call
        self._keeper = keeper
        self._metrics = metrics
        self._announcer = announcer
        self._announces_completed = announcer.announces_completed

    def written(self, endings: Sequence[Ending], moment: int) -> None:
        """Release the leases of ends that are written, count them, and announce them.

        Args:
            endings: ends of runs; no other worker may begin their jobs before their leases are released.
            moment: when they were written, ms since the epoch.
        """
        release, announces_completed = self._keeper.release, self._announces_completed
        for ending in endings:
            run, outcome = ending.run, ending.outcome
            if run is None:
                self._metrics.of(OTHER).ended(outcome, None)
                self._announcer.ended_unread(ending.job_id, outcome)
                continue
            release(run.slot)
            run.counters.ended(outcome, run.seconds)
            if announces_completed or type(outcome) is not Completed:
                self._announcer.ended(run, outcome, moment)

    def unwritten(self, ending: Ending) -> None:
        """Release the lease of a run whose end is not written, and not sent any more."""
        if ending.run is not None:
            self._keeper.release(ending.run.slot)

    def lost(self, run: Run) -> None:
        """Have it announced that the lease of a run is lost."""
        self._announcer.lost(run)

    def refused(self, ending: Ending, code: int) -> Outcome:
        """Return how a run ends whose job's children do not let it end as it wanted."""
        error = refusal(ending.job_id, ending.outcome, code)
        return self._call.unread(str(error)) if ending.run is None else self._call.failed(ending.run, error)
