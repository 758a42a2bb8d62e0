"""`stockyard worker`: runs workers, in this process or in several that are watched over."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import uvloop
from cyclopts import App as Command
from cyclopts import Parameter

from stockyard._aio.parent_watch import watch_parent
from stockyard._logging import LogFormat, configure_logging
from stockyard.cli.metrics_port import MetricsPort
from stockyard.cli.options import Endpoint, Prefix, RedisUrl, Span, host_and_port
from stockyard.cli.queue_view import workers
from stockyard.cli.source_watch import SourceWatch
from stockyard.cli.supervisor import RELOAD, Greeting, Supervisor
from stockyard.cli.worker_set import WorkerSelection, WorkerSet
from stockyard.consume.identity import assume_identity
from stockyard.consume.options import WorkerOptions
from stockyard.consume.worker import Worker
from stockyard.errors import InvalidOption
from stockyard.observe.alerts.settings import AlertSettings
from stockyard.observe.app_monitor import metrics_server

_log = logging.getLogger(__name__)
_REFUSED = 2
_RELOAD_GRACE = 1.0
T = TypeVar("T")

worker = Command(
    name="worker",
    help="Run workers until SIGTERM or Ctrl-C (a second one requeues running jobs at once), or list them.",
)
worker.command(workers, name="list")


@worker.default
def run(
    target: str,
    /,
    *more: str,
    queue: tuple[str, ...] = (),
    processes: int = 1,
    concurrency: int | None = None,
    grace: Span = None,
    allow_eviction: bool = False,
    metrics_port: Endpoint = None,
    alerts: Annotated[bool, Parameter(negative="--no-alerts")] = True,
    log_format: LogFormat | None = None,
    reload: bool = False,
    redis_url: RedisUrl = None,
    prefix: Prefix = None,
    supervised: Annotated[bool, Parameter(show=False)] = False,
) -> int:
    """Run workers until SIGTERM or Ctrl-C; a second signal hands running jobs back at once.

    Args:
        target: MODULE:ATTR of an App, a Topology, Workers, or a function that returns one of these.
        more: further targets, worked on by the same processes.
        queue: only this queue, of all that have handlers; may be given again.
        processes: how many processes do the work, 1 by default; one that dies is started again.
        concurrency: jobs at a time, of each worker in each process; the queue's own by default.
        grace: time that running jobs have to end, 25s by default.
        allow_eviction: work on critical queues though the server evicts keys.
        metrics_port: [HOST:]PORT that answers /metrics, /live and /ready; the second process has the next
            port, and so on.
        alerts: watch the queues and the server; of all processes, one does so at a time.
        log_format: text or json; text by default, unless the target sets up logging in its own way.
        reload: start again when the source of an imported module below the working directory changes; for
            development. Running jobs have a second to end and are handed back then.
        supervised: read the server's place from standard input, and stop at its end.
    """
    if processes < 1:
        raise InvalidOption(f"--processes must be 1 or more; got {processes}")
    options: WorkerOptions = {} if concurrency is None else {"concurrency": concurrency}
    if grace is not None:
        options["grace"] = grace
    if allow_eviction:
        options["allow_eviction"] = True
    if processes > 1 or (reload and not supervised):
        arguments = [f"--{name}={value}" for name, value in options.items()]
        arguments += [f"--queue={name}" for name in queue]
        if not alerts:
            arguments.append("--no-alerts")
        if log_format is not None:
            arguments.append(f"--log-format={log_format}")
        if reload:
            arguments.append("--reload")
        command = [sys.executable, "-m", "stockyard.cli", "worker", target, *more, *arguments, "--supervised"]
        commands = [[*command, *_served_at(metrics_port, index)] for index in range(processes)]
        # A pipe brings the URL, which may hold a password and would show among the arguments.
        _log_to_stderr(log_format)
        return _run(Supervisor(commands, settings=(redis_url, prefix), refusal=None if reload else _REFUSED).run())
    if supervised:
        greeting = msgspec.json.decode(sys.stdin.buffer.readline(), type=Greeting)
        redis_url, prefix = greeting.settings
        assume_identity(greeting.identity, greeting.dead)
    selection = WorkerSelection(queues=queue, options=options, redis_url=redis_url, prefix=prefix)
    # The environment passes the server on to every App that the target makes.
    with _environment(REDIS_URL=redis_url, STOCKYARD_PREFIX=prefix):
        return _run(_work([target, *more], selection, supervised, log_format, metrics_port, alerts, reload))


@contextmanager
def _environment(**values: str | None) -> Iterator[None]:
    """Set these environment variables for as long as the command runs; None leaves a variable alone."""
    before = {name: os.environ.get(name) for name, value in values.items() if value is not None}
    os.environ.update({name: value for name, value in values.items() if value is not None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


async def _work(
    targets: list[str],
    selection: WorkerSelection,
    watches_input: bool,
    log_format: LogFormat | None,
    metrics_port: str | None,
    watches: bool,
    reloads: bool,
) -> int:
    worker_set = WorkerSet(targets, selection)
    _log_to_stderr(log_format)
    async with AsyncExitStack() as ending:
        ending.push_async_callback(worker_set.aclose)
        if watches_input:
            watch_parent(on_gone=partial(_request_stop, worker_set.workers))
        if metrics_port is not None:
            host, port = host_and_port(metrics_port)
            monitors = [app.monitor for app in worker_set.apps]
            served = MetricsPort(partial(metrics_server, monitors, host=host, port=port))
            served.open()
            ending.push_async_callback(served.close)
        if watches:
            settings = AlertSettings.load()
            for app in worker_set.apps:
                alert_monitor = app.alert_monitor(settings)
                await alert_monitor.start()
                ending.push_async_callback(alert_monitor.stop)
        for each in worker_set.workers:
            ready = asyncio.create_task(_report_ready(each))
            ending.callback(ready.cancel)
        running = [
            asyncio.create_task(each.run(handle_signals=True), name=f"worker of {each.queue}")
            for each in worker_set.workers
        ]
        edited = asyncio.create_task(SourceWatch(Path.cwd()).changed()) if reloads else None
        await asyncio.wait([*running, edited] if edited else running, return_when=asyncio.FIRST_COMPLETED)
        if edited is not None and edited.done():
            _log.info("%s has changed; starting again", edited.result())
            await asyncio.gather(*(each.stop(grace=_RELOAD_GRACE) for each in worker_set.workers))
        elif edited is not None:
            edited.cancel()
        await asyncio.gather(*(each.stop() for each in worker_set.workers))
        await asyncio.gather(*running)
    deadline = max(each.stops_by for each in worker_set.workers)
    if math.isfinite(deadline):
        _exit_by(deadline)
    return RELOAD if edited is not None and not edited.cancelled() and edited.done() else 0


def _served_at(metrics_port: str | None, index: int) -> list[str]:
    if metrics_port is None:
        return []
    host, _, port = metrics_port.rpartition(":")
    # Port 0 is any that is free.
    return [f"--metrics-port={host}:{int(port) + index if int(port) else 0}"]


async def _report_ready(worker: Worker) -> None:
    await worker.ready.wait()
    _log.info("working on %s, %d at a time", worker.queue, worker.concurrency)


def _request_stop(workers: list[Worker]) -> None:
    for worker in workers:
        worker.request_stop()


def _log_to_stderr(chosen: LogFormat | None) -> None:
    """Say what happens; unless it was asked for, the target's own way of logging stays."""
    configure_logging(chosen or "text", force=chosen is not None)


def _run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def _exit_by(deadline: float) -> None:
    """End the process at the deadline, whatever handlers that ignore their cancellation or threads still do."""

    def end() -> None:
        _log.error("the process ends now, though handlers or threads of it still run")
        logging.shutdown()
        os._exit(0)

    timer = threading.Timer(max(deadline - time.monotonic(), 0.2), end)
    timer.daemon = True
    timer.start()
