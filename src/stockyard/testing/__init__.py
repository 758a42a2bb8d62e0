"""This package helps to test programs that use Stockyard: assertions, runs by hand, fixtures of pytest."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stockyard.testing.app_process import AppProcess
    from stockyard.testing.app_under_test import make_app, run_sync
    from stockyard.testing.clock import ManualClock
    from stockyard.testing.draining import Drained, drain
    from stockyard.testing.enqueued import all_enqueued, assert_enqueued, refute_enqueued
    from stockyard.testing.history import History
    from stockyard.testing.inline_runs import inline
    from stockyard.testing.judgement import HistoryReport
    from stockyard.testing.outages import failover, halted
    from stockyard.testing.single_run import JobRun, run_job
    from stockyard.testing.waiting import eventually, running
else:
    from stockyard._lazy import lazy_names

    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "stockyard.testing.app_process": "AppProcess",
            "stockyard.testing.app_under_test": "make_app run_sync",
            "stockyard.testing.clock": "ManualClock",
            "stockyard.testing.draining": "Drained drain",
            "stockyard.testing.enqueued": "all_enqueued assert_enqueued refute_enqueued",
            "stockyard.testing.history": "History",
            "stockyard.testing.inline_runs": "inline",
            "stockyard.testing.judgement": "HistoryReport",
            "stockyard.testing.outages": "failover halted",
            "stockyard.testing.single_run": "JobRun run_job",
            "stockyard.testing.waiting": "eventually running",
        },
    )

__all__ = [
    "AppProcess",
    "Drained",
    "History",
    "HistoryReport",
    "JobRun",
    "ManualClock",
    "all_enqueued",
    "assert_enqueued",
    "drain",
    "eventually",
    "failover",
    "halted",
    "inline",
    "make_app",
    "refute_enqueued",
    "run_job",
    "run_sync",
    "running",
]
