"""The options of a worker."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stockyard.consume.hooks import Hooks
from stockyard.errors import InvalidOption
from stockyard.model.backoff import BackoffStrategy
from stockyard.model.duration import Duration
from stockyard.model.handler import Executor

if TYPE_CHECKING:
    from stockyard.consume.run.handler_call import Middleware


def _process_name() -> str:
    host = re.sub(r"[^!-~]", "_", socket.gethostname())
    return f"{host}-{os.getpid()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """How a worker works; what is None follows the queue's declaration.

    Attributes:
        name: shown in dashboards, written into the jobs, and how an alert says who is dead. Defaults to the
            machine's name and the process's number; None for no name.
        concurrency: jobs at a time.
        executor: where its one handler runs: ``"async"``, ``"thread"`` or ``"process"``.
        lock: lease of a running job, 100 ms or longer.
        stalled_interval: pause between two looks for dead workers' jobs. Defaults to half the lease.
        grace: time that running jobs have to end when the worker is stopped; the whole stop takes at most two
            seconds longer. Defaults to 25 s, which fits into the 30 s that Kubernetes gives a pod.
        drain_delay: longest wait for the marker of an empty queue, cut to 10 s, so that a dead
            connection is noticed within 15. Defaults to 5 s.
        metrics_minutes: minutes of which the queue keeps how many jobs ended; 0 or None counts nothing. Defaults
            to 20,160, two weeks.
        max_started_attempts: starts of a job, those included that did not end an attempt, after which it is
            failed. Defaults to no limit.
        middleware: around every job, the first outermost.
        hooks: called at starts, ends and other events.
        backoff_strategies: custom backoff by name.
        recycle_after: jobs after which a child process is replaced. Defaults to 1000.
        memory_limit: bytes of resident memory of a child process. Defaults to no limit.
        handle_signals: ``run`` takes over SIGTERM and SIGINT of the process, to stop. Defaults to False: the
            program that the worker is a part of decides. ``run_forever`` and ``stockyard worker`` always do.
        allow_eviction: work on a critical queue though its server evicts keys: jobs may be lost, or run twice.
            Defaults to False.

    Raises:
        InvalidOption: the middleware or the hooks are something else.
    """

    name: str | None = field(default_factory=_process_name)
    concurrency: int | None = None
    executor: Executor | None = None
    lock: Duration | None = None
    stalled_interval: Duration | None = None
    grace: Duration = 25
    drain_delay: Duration = 5
    metrics_minutes: int | None = 20_160
    max_started_attempts: int | None = None
    middleware: Sequence[Middleware] = ()
    hooks: Hooks = field(default_factory=Hooks)
    backoff_strategies: Mapping[str, BackoffStrategy] = field(default_factory=dict)
    recycle_after: int | None = 1000
    memory_limit: int | None = None
    handle_signals: bool = False
    allow_eviction: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.middleware, Sequence) or not all(callable(each) for each in self.middleware):
            raise InvalidOption(
                f"middleware must be a list of functions, `async def (job, call_next)`; got {self.middleware!r}"
            )
        if not isinstance(self.hooks, Hooks):
            raise InvalidOption(f"hooks must be Hooks(…); got {self.hooks!r}")
