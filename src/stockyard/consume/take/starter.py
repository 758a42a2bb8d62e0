"""Starts the jobs that a worker's calls bring: at once, or when their next runs are made, or not any more."""

from __future__ import annotations

from stockyard._store.records import StartedRecord
from stockyard.consume.finish.finisher import Finisher
from stockyard.consume.finish.next_run_maker import NextRunMaker
from stockyard.consume.run.runner import Runner


class Starter:
    """Says what becomes of the jobs that calls bring.

    Args:
        runner: starts them.
        finisher: hands them back where the worker ends.
        next_runs: starts runs of schedules, once their next ones are made.
    """

    def __init__(self, *, runner: Runner, finisher: Finisher, next_runs: NextRunMaker) -> None:
        self._runner = runner
        self._finisher = finisher
        self._next_runs = next_runs
        self._hands_back = False

    def hand_back_what_comes(self) -> None:
        """From now on, hand back jobs that calls under way still bring, unrun."""
        self._hands_back = True

    def start(self, records: list[StartedRecord], token: str, moment: int = 0) -> None:
        """Start jobs; runs of schedules wait, without holding up the others, until their next ones are made.

        Args:
            records: the jobs.
            token: that they are held under.
            moment: when the server started them, ms since the epoch. Defaults to now, as far as it is known here.
        """
        if self._hands_back:
            self._finisher.hand_back(records, token)
            return
        runs = [record for record in records if record.is_schedule_run]
        if not runs:
            self._runner.start(records, token, moment)
            return
        self._runner.start([record for record in records if not record.is_schedule_run], token, moment)
        self._next_runs.take(runs, token)
