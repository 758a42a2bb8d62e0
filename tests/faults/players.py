"""Producers and workers in processes of their own that write down what they do, for the checker of histories."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from stockyard import App, Job, Queue, ReplyLost, ServerUnavailable, Topology, UnrecoverableError
from stockyard.errors import NotDurable
from stockyard.model.durability import Durability
from tests.support.forked import Forked
from tests.support.history import Diary, diary_of, drop_unfinished_line
from tests.support.node import NODE_FOLDER

LEASE_MS = 5000
"""Length of the leases: that of the platform's `execution:*` queues."""

RUN_SECONDS = 0.04


def name_of(number: int) -> str:
    """What a job of that number does: some fail at their first attempt, some for good."""
    return "doomed" if number % 29 == 7 else "shaky" if number % 17 == 3 else "good"


def topology(durability: Durability | None = None) -> Topology:
    """One queue, which keeps every record."""
    topology = Topology("history")
    topology.queue(
        os.environ["HISTORY_QUEUE"],
        lock=f"{LEASE_MS}ms",
        max_stalled=20,
        attempts=3,
        backoff="50ms",
        remove_on_complete=False,
        remove_on_fail=False,
        durability=durability,
    )
    return topology


async def produce(app: App, diary: Diary, player: str, *, backlog: int, rate: float) -> None:
    """Add a backlog at once, then so many a second, until SIGTERM."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    queue = app.queue(os.environ["HISTORY_QUEUE"])
    await asyncio.gather(*(_add(queue, diary, player, number) for number in range(backlog)))
    number = backlog
    adding: set[asyncio.Task[None]] = set()
    while not over.is_set():
        # Not one behind the other: those who add do not wait for one another either.
        task = asyncio.create_task(_add(queue, diary, player, number))
        adding.add(task)
        task.add_done_callback(adding.discard)
        number += 1
        await asyncio.sleep(1 / rate)
    if adding:
        await asyncio.wait(adding)


async def _add(queue: Queue, diary: Diary, player: str, number: int) -> None:
    key = f"{player}-{number}"
    diary.write("try", key)
    try:
        job = await queue.add(name_of(number), {"key": key})
    except (ReplyLost, NotDurable):
        diary.write("unsure", key)
    except ServerUnavailable:
        diary.write("refused", key)
    else:
        diary.write("ack", key, job.id)


async def work(app: App, diary: Diary, *, concurrency: int) -> None:
    """Run jobs until SIGTERM."""

    async def handle(job: Job[Any]) -> str:
        key: str = job.data["key"]
        diary.write("start", key, job.id, job.attempts_started)
        await asyncio.sleep(RUN_SECONDS * (0.5 + random.random()))
        result = {"good": "completed", "doomed": "failed"}.get(job.name)
        result = result or ("completed" if job.attempts_made else "again")
        diary.write("end", key, job.id, job.attempts_started, result)
        if result == "failed":
            raise UnrecoverableError("doomed")
        if result == "again":
            raise RuntimeError("not at the first attempt")
        return key

    await app.worker(os.environ["HISTORY_QUEUE"], handle, concurrency=concurrency, handle_signals=True).run()


async def _main(role: str, player: str, options: dict[str, Any]) -> None:
    diary = Diary(Path(os.environ["HISTORY_FOLDER"]), player)
    durability = options.pop("durability", None)
    async with App(topology(durability), os.environ["HISTORY_URL"], prefix=os.environ["HISTORY_PREFIX"]) as app:
        if role == "produce":
            await produce(app, diary, player, **options)
        else:
            await work(app, diary, **options)


class Player:
    """A process that adds or runs jobs, of ours or of Node.

    Attributes:
        was_killed: whether it had to go without a word.

    Args:
        role: ``"produce"`` or ``"work"``; Node's does both.
        name: of the process; begins the keys of its jobs and names its diary.
        url, prefix, queue: of the server and its keys.
        folder: of the diaries.
        node: whether it is Node. Defaults to False.
        options: of its role.
    """

    def __init__(
        self,
        role: str,
        name: str,
        *,
        url: str,
        prefix: str,
        queue: str,
        folder: Path,
        node: bool = False,
        **options: Any,
    ) -> None:
        self.role = role
        self.name = name
        self.is_node = node
        self.was_killed = False
        where = {
            "HISTORY_URL": url,
            "HISTORY_PREFIX": prefix,
            "HISTORY_QUEUE": queue,
            "HISTORY_FOLDER": str(folder),
        }
        command = ["node", "history.mjs"] if node else [sys.executable, "-m", "tests.faults.players"]
        drop_unfinished_line(diary_of(folder, name))
        self._log = folder / f"{name}.log"
        with self._log.open("ab") as log:
            # Node's client loads its libraries in each process.
            kind = subprocess.Popen[bytes] if node else Forked[bytes]
            self._process = kind(
                [*command, role, name, json.dumps(options)],
                env={**os.environ, **where},
                cwd=NODE_FOLDER if node else None,
                stdout=log,
                stderr=log,
            )

    def check_running(self) -> None:
        """Fail, with what it printed, if it has ended by itself."""
        status = self._process.poll()
        assert status is None, f"{self.name} has ended with status {status}:\n{self.log()}"

    def log(self) -> str:
        """What it printed so far."""
        return self._log.read_text()

    def ask_to_end(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.was_killed = True
        self._process.kill()
        self._process.wait()

    def wait(self, within: float) -> int:
        """Wait until it has ended; return its exit code."""
        return self._process.wait(within)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
