"""The options of a worker."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, get_args

import msgspec
from msgspec.structs import replace

from stockyard.consume.hooks import Hooks
from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.backoff_delay import BackoffStrategy
from stockyard.model.duration import SHORTEST_LEASE, Duration, milliseconds
from stockyard.model.handler import Executor
from stockyard.model.retention import KeepOption, checked_keep
from stockyard.topology import QueueSpec, Rate

if TYPE_CHECKING:
    from stockyard.consume.run.handler_call import Middleware


class WorkerOptions(TypedDict, total=False):
    """How a worker works; what is None follows the queue's declaration.

    Keys:
        name: shown in dashboards, written into the jobs, and how an alert says who is dead. Defaults to the
            machine's name and the process's number; None for no name.
        concurrency: jobs at a time.
        executor: where its one handler runs: ``"async"``, ``"thread"`` or ``"process"``.
        lock: lease of a running job, 100 ms or longer.
        stalled_interval: pause between two looks for dead workers' jobs. Defaults to half the lease.
        grace: time that running jobs have to end when the worker is stopped; the whole stop takes at most two
            seconds longer. Defaults to 25 s, which fits into the 30 s that Kubernetes gives a pod.
        blocked_after: time that the event loop may stand still before a line in the log names the handler that
            blocks it, with its stack. Defaults to 1 s; None never looks.
        drain_delay: longest wait for the marker of an empty queue, cut to 10 s, so that a dead
            connection is noticed within 15. Defaults to 5 s.
        metrics_minutes: minutes of which the queue keeps how many jobs ended; 0 or None counts nothing. Defaults
            to 20,160, two weeks.
        remove_on_complete, remove_on_fail: retention of the jobs that this worker ends, where a job says nothing:
            as Node adds it, or of a queue declared with ``False``, as ``add`` writes the queue's retention into
            the job.
        rate: ``"100/s"``: jobs started per time by all workers together, as this worker counts them.
        max_stalled: how often a job may lose its worker before this worker, when it recovers it, fails it.
        max_started_attempts: starts of a job, those included that did not end an attempt, after which it is
            failed. Defaults to no limit.
        middleware: around every job, the first outermost.
        hooks: called at starts, ends and other events.
        backoff_strategies: custom backoff by name: ``def wait(attempts_made, type, error, job)``, plain or ``async
            def``, returns a duration, or None to fail the job.
        recycle_after: jobs after which a child process is replaced. Defaults to 1000.
        memory_limit: bytes of resident memory of a child process. Defaults to no limit.
        handle_signals: ``run`` takes over SIGTERM and SIGINT of the process, to stop. Defaults to False: the
            program that the worker is a part of decides. ``run_forever`` and ``stockyard worker`` always do.
        allow_eviction: work on a critical queue though its server evicts keys: jobs may be lost, or run twice.
            Defaults to False.
    """

    name: str | None
    concurrency: int | None
    executor: Executor | None
    lock: Duration | None
    stalled_interval: Duration | None
    grace: Duration
    blocked_after: Duration | None
    drain_delay: Duration
    metrics_minutes: int | None
    remove_on_complete: KeepOption | None
    remove_on_fail: KeepOption | None
    rate: Rate | str | None
    max_stalled: int | None
    max_started_attempts: int | None
    middleware: Sequence[Middleware]
    hooks: Hooks
    backoff_strategies: Mapping[str, BackoffStrategy]
    recycle_after: int | None
    memory_limit: int | None
    handle_signals: bool
    allow_eviction: bool


def _process_name() -> str:
    host = re.sub(r"[^!-~]", "_", socket.gethostname())
    return f"{host}-{os.getpid()}"


class WorkerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The same, checked, all times in milliseconds; None follows the queue's declaration, or is no limit."""

    name: str | None = msgspec.field(default_factory=_process_name)
    concurrency: int | None = None
    executor: Executor | None = None
    lock_ms: int | None = None
    stalled_interval_ms: int | None = None
    grace_ms: int = 25_000
    blocked_after_ms: int | None = 1_000
    drain_delay_ms: int = 5_000
    metrics_minutes: int = 20_160
    remove_on_complete: KeepOption | None = None
    remove_on_fail: KeepOption | None = None
    rate: Rate | None = None
    max_stalled: int | None = None
    max_started_attempts: int = 0
    middleware: Sequence[Middleware] = ()
    hooks: Hooks = msgspec.field(default_factory=Hooks)
    backoff_strategies: Mapping[str, BackoffStrategy] = msgspec.field(default_factory=dict)
    recycle_after: int | None = 1000
    memory_limit: int | None = None
    handle_signals: bool = False
    allow_eviction: bool = False

    def over(self, spec: QueueSpec) -> QueueSpec:
        """Return the declaration of a queue as this worker goes by it: what it was given itself comes first."""
        own = {
            "remove_on_complete": self.remove_on_complete,
            "remove_on_fail": self.remove_on_fail,
        }
        kept = {name: keep for name, keep in own.items() if keep is not None}
        changes: dict[str, Any] = {"defaults": msgspec.structs.replace(spec.defaults, **kept)} if kept else {}
        if self.rate is not None:
            changes["rate"] = self.rate
        if self.max_stalled is not None:
            changes["max_stalled"] = self.max_stalled
        return replace(spec, **changes) if changes else spec

    @classmethod
    def of(cls, options: WorkerOptions) -> WorkerSpec:
        """Check options and fill in the defaults.

        Raises:
            InvalidOption: one is not known or out of its range.
        """
        checks.refuse_unknown(options, WorkerOptions.__annotations__, what="worker option")
        chosen: dict[str, Any] = {}
        for name, value in options.items():
            field_name, check = _CHECKS[name]
            chosen[field_name] = check(name, value)
        return cls(**chosen)


def _name(_option: str, name: Any) -> str | None:
    """Refuse a name that servers refuse to a connection, and an empty one."""
    if name is None or (isinstance(name, str) and name and all("!" <= each <= "~" for each in name)):
        return name
    raise InvalidOption(f"a worker's name must be ASCII text without spaces, or None for none; got {name!r}")


def _executor(option: str, value: Any) -> Executor | None:
    return None if value is None else checks.one_of(option, value, get_args(Executor))


def _count(option: str, value: Any) -> int | None:
    return None if value is None else checks.whole(option, value, least=1)


def _count_or_0(option: str, value: Any) -> int:
    return 0 if value is None else checks.whole(option, value)


def _whole(option: str, value: Any) -> int | None:
    return None if value is None else checks.whole(option, value)


def _keep(option: str, value: Any) -> KeepOption | None:
    return None if value is None else checked_keep(value, option=option)


def _rate(_option: str, value: Any) -> Rate | None:
    return None if value is None else Rate.of(value)


def _lease(option: str, value: Any) -> int | None:
    return None if value is None else checks.positive_ms(option, value, least=SHORTEST_LEASE)


def _duration(option: str, value: Any) -> int:
    return milliseconds(value, option=option)


def _duration_or_none(option: str, value: Any) -> int | None:
    return None if value is None else milliseconds(value, option=option)


def _blocked_after(option: str, value: Any) -> int | None:
    return None if value is None else checks.positive_ms(option, value)


def _middleware(_option: str, value: Any) -> Sequence[Middleware]:
    if not isinstance(value, Sequence) or not all(callable(each) for each in value):
        raise InvalidOption(f"middleware must be a list of functions, `async def (job, call_next)`; got {value!r}")
    return value


def _hooks(_option: str, value: Any) -> Hooks:
    if not isinstance(value, Hooks):
        raise InvalidOption(f"hooks must be Hooks(…); got {value!r}")
    return value


def _strategies(option: str, value: Any) -> Mapping[str, BackoffStrategy]:
    is_fit = isinstance(value, Mapping) and all(
        checks.is_text(name) and callable(strategy) for name, strategy in value.items()
    )
    if not is_fit:
        raise InvalidOption(f"{option} must be functions by name, {{'name': function}}; got {value!r}")
    strategies: Mapping[str, BackoffStrategy] = value
    return strategies


_CHECKS: dict[str, tuple[str, Any]] = {
    "name": ("name", _name),
    "concurrency": ("concurrency", _count),
    "executor": ("executor", _executor),
    "lock": ("lock_ms", _lease),
    "stalled_interval": ("stalled_interval_ms", _duration_or_none),
    "grace": ("grace_ms", _duration),
    "blocked_after": ("blocked_after_ms", _blocked_after),
    "drain_delay": ("drain_delay_ms", _duration),
    "metrics_minutes": ("metrics_minutes", _count_or_0),
    "remove_on_complete": ("remove_on_complete", _keep),
    "remove_on_fail": ("remove_on_fail", _keep),
    "rate": ("rate", _rate),
    "max_stalled": ("max_stalled", _whole),
    "max_started_attempts": ("max_started_attempts", _count_or_0),
    "middleware": ("middleware", _middleware),
    "hooks": ("hooks", _hooks),
    "backoff_strategies": ("backoff_strategies", _strategies),
    "recycle_after": ("recycle_after", _count),
    "memory_limit": ("memory_limit", _count),
    "handle_signals": ("handle_signals", checks.flag),
    "allow_eviction": ("allow_eviction", checks.flag),
}
