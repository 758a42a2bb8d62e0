"""The options of jobs that are taken by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict, Unpack, cast

from stockyard.consume.options import WorkerOptions, WorkerSpec
from stockyard.model import checks
from stockyard.model.backoff_delay import BackoffStrategy
from stockyard.model.duration import Duration
from stockyard.model.retention import KeepOption
from stockyard.topology import Rate


class ManualOptions(TypedDict, total=False):
    """The options of ``App.manual_worker``; what is left out follows the queue's declaration.

    Keys:
        name: shown in dashboards, and written into the jobs. Defaults to the machine's name and the process's
            number; None for no name.
        lock: lease of a job that is taken, 100 ms or longer: ``TakenJob.extend`` renews it. Defaults to the
            queue's.
        backoff_strategies: custom backoff by name, for ``TakenJob.fail``.
        remove_on_complete, remove_on_fail: retention of the jobs that are ended, where a job says nothing.
        rate: ``"100/s"``: jobs started per time by all workers together, as this one counts them.
        max_stalled: how often a job may lose its worker before ``recover_stalled`` fails it.
        metrics_minutes: minutes of which the queue keeps how many jobs ended; 0 or None counts nothing. Defaults
            to 20,160, two weeks.
        allow_eviction: work on a critical queue though its server evicts keys. Defaults to False.
    """

    name: str | None
    lock: Duration | None
    backoff_strategies: Mapping[str, BackoffStrategy]
    remove_on_complete: KeepOption | None
    remove_on_fail: KeepOption | None
    rate: Rate | str | None
    max_stalled: int | None
    metrics_minutes: int | None
    allow_eviction: bool


def manual_spec(**options: Unpack[ManualOptions]) -> WorkerSpec:
    """Check the options of jobs that are taken by hand, and fill in the defaults.

    Raises:
        InvalidOption: one is not known or out of its range.
    """
    checks.refuse_unknown(options, ManualOptions.__annotations__, what="option of a manual worker")
    return WorkerSpec.of(cast("WorkerOptions", options))
