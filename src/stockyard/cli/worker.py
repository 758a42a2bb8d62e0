"""`stockyard worker`: runs workers, in this process or in several that are watched over."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

import msgspec
import uvloop
from cyclopts import Parameter

from stockyard.cli.options import Prefix, RedisUrl, Span
from stockyard.cli.roster import Roster, Wishes
from stockyard.cli.supervisor import Supervisor
from stockyard.consume.worker import Worker
from stockyard.errors import InvalidOption

_log = logging.getLogger("stockyard")
_REFUSED = 2
T = TypeVar("T")


def worker(
    target: str,
    /,
    *more: str,
    queue: tuple[str, ...] = (),
    processes: int = 1,
    concurrency: int | None = None,
    grace: Span = None,
    allow_eviction: bool = False,
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
        grace: time that running jobs have to end, 30s by default.
        allow_eviction: work on critical queues though the server evicts keys.
        supervised: read the server's place from standard input, and stop at its end.
    """
    if processes < 1:
        raise InvalidOption(f"--processes must be 1 or more; got {processes}")
    options: dict[str, Any] = {} if concurrency is None else {"concurrency": concurrency}
    if grace is not None:
        options["grace"] = grace
    if allow_eviction:
        options["allow_eviction"] = True
    if processes > 1:
        arguments = [f"--{name}={value}" for name, value in options.items()]
        arguments += [f"--queue={name}" for name in queue]
        command = [sys.executable, "-m", "stockyard.cli", "worker", target, *more, *arguments, "--supervised"]
        # A pipe brings the URL, which may hold a password and would show among the arguments.
        greeting = msgspec.json.encode((redis_url, prefix)) + b"\n"
        _log_to_stderr()
        return _run(Supervisor(command, greeting=greeting, processes=processes, refusal=_REFUSED).run())
    if supervised:
        redis_url, prefix = msgspec.json.decode(sys.stdin.buffer.readline())
    # By way of the environment it reaches every App that the target makes.
    for name, value in (("REDIS_URL", redis_url), ("STOCKYARD_PREFIX", prefix)):
        if value is not None:
            os.environ[name] = value
    wishes = Wishes(queues=queue, options=options, redis_url=redis_url, prefix=prefix)
    _run(_work([target, *more], wishes, watch_input=supervised))
    return 0


async def _work(targets: list[str], wishes: Wishes, *, watch_input: bool) -> None:
    roster = Roster(targets, wishes)
    _log_to_stderr()
    if watch_input:
        asyncio.get_running_loop().add_reader(0, _input_ended, roster.workers)
    running = [asyncio.create_task(each.run(), name=f"worker of {each.queue}") for each in roster.workers]
    ready = asyncio.create_task(_tell_ready(roster.workers))
    try:
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(*(each.stop() for each in roster.workers))
        await asyncio.gather(*running)
    finally:
        ready.cancel()
        await roster.aclose()


async def _tell_ready(workers: list[Worker]) -> None:
    for each in workers:
        await each.ready.wait()
        _log.info("working on %s, %d at a time", each.queue, each.concurrency)


def _input_ended(workers: list[Worker]) -> None:
    if not os.read(0, 4096):
        asyncio.get_running_loop().remove_reader(0)
        for each in workers:
            each.request_stop()


def _log_to_stderr() -> None:
    """Say what happens, unless the target has set up logging in its own way."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)


def _run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
