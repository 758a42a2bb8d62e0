"""A desk's producers, worker processes and Node workers on one server, and the faults that happen to them."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import redis

from stockyard import App, ReplyLost, ServerUnavailable
from tests.faults.desk_programs import LEASE_SECONDS, QUEUES, desk
from tests.faults.players import Player
from tests.support.desk_history import Waiting
from tests.support.forked import Forked
from tests.support.history import drop_unfinished_line
from tests.support.servers import OwnServer
from tests.support.waiting import eventually, ticks

PREFIX = "d"
SIGNAL_KEYS = [f"S{number}" for number in range(10)]
SYMBOLS = [f"T{number}" for number in range(5)]
_EVENTS = 10_000_000
_AWAY = 0.3
"""Seconds that a killed server is away."""

# Which jobs of each coalescing key wait now, and the time in ms.
_LOOK = """
local time = redis.call('TIME')
local found = {time[1] * 1000 + math.floor(time[2] / 1000)}
local ids = redis.call('LRANGE', KEYS[1] .. 'wait', 0, -1)
for _, name in ipairs({'prioritized', 'delayed'}) do
  for _, id in ipairs(redis.call('ZRANGE', KEYS[1] .. name, 0, -1)) do ids[#ids + 1] = id end
end
for _, id in ipairs(ids) do
  local data = redis.call('HGET', KEYS[1] .. id, 'data')
  if data then found[#found + 1] = cjson.decode(data).key; found[#found + 1] = id end
end
return found
"""


class DeskFleet:
    """Producers in this process; three worker processes whose clocks differ, two Node workers.

    Attributes:
        signals: ids of each key's signals that were acknowledged, in the order added.
        quotes, orders: ids that were acknowledged.
        latest: the number of each symbol's last tick that was acknowledged.
        waiting: what waited of the ticks, look by look.
        faults: how often each happened.

    Args:
        folder: of the server's data and the diaries.
        seed: of the faults.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._random = random.Random(seed)
        self.server = OwnServer(folder / "server", port=True, options={"appendfsync": "always"})
        self.signals: defaultdict[str, list[str]] = defaultdict(list)
        self.quotes: list[str] = []
        self.orders: list[str] = []
        self.latest: dict[str, int] = {}
        self.waiting: list[Waiting] = []
        self.faults: Counter[str] = Counter()
        self._workers: dict[str, tuple[subprocess.Popen[bytes], int]] = {}
        self._nodes: list[Player] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._over = asyncio.Event()
        self._ending = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            # The processes would go on for ever.
            await self._ending.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        try:
            await asyncio.gather(*self._tasks)
        finally:
            await self._ending.aclose()

    async def suffer(self, seconds: float) -> None:
        """Let faults of every kind happen in turn, in an order by chance, for so long and each once at least."""
        kinds: list[Callable[[], Awaitable[None]]] = [
            self._kill_worker,
            self._freeze_worker,
            self._kill_server,
            self._cut_connections,
        ]
        until = time.monotonic() + seconds
        while time.monotonic() < until or len(self.faults) < len(kinds):
            self._random.shuffle(kinds)
            for fault in kinds:
                await fault()
                self.faults[fault.__name__] += 1
                marks = {player: self._size(player) for player in self._players()}
                await eventually(lambda known=marks: self._all_went_on(known), within=60)  # type: ignore[misc]

    async def settle(self) -> None:
        """End the producers, let every job end, and end the workers."""
        self._over.set()
        await asyncio.gather(*self._tasks)
        self._tasks = []
        await eventually(self._is_drained, within=90, every=0.1)
        # A key whose last job was Node's is let go by the next look of our workers, a second later.
        await eventually(lambda: not self.left_locked(), within=30, every=0.25)
        processes = [process for process, _ in self._workers.values()]
        for process in processes:
            process.terminate()
        for node in self._nodes:
            node.ask_to_end()
        for process in processes:
            assert await asyncio.to_thread(process.wait, 60) == 0
        for node in self._nodes:
            assert await asyncio.to_thread(node.wait, 60) == 0

    def left_locked(self) -> list[str]:
        """Return the keys of leases, running jobs and lines that are left."""
        ends = (":lock", ":active", ":keys:heads", ":keys:holders", ":keys:lines", ":stalled-check:lines")
        # What is known of a coalescing key is looked at, and forgotten, a minute after its last job.
        parts = ("::key:", "stalled-check:line:")
        with self.server.client() as client:
            keys = [str(key) for key in client.scan_iter(f"{PREFIX}:*", count=1000)]
        return [key for key in keys if key.endswith(ends) or any(part in key for part in parts)]

    async def latest_processed(self) -> dict[str, int]:
        """Return the highest number of a tick that was processed, by symbol."""
        found: defaultdict[str, int] = defaultdict(int)
        # The latest ended first: each symbol is among a thousand of them.
        for job in await self.app.queue("ticks").get_jobs("completed", size=1000):
            found[job.data["key"]] = max(found[job.data["key"]], job.data["number"])
        return found

    async def _start(self) -> None:
        (self._folder / "server").mkdir()
        self.server.start()
        self._ending.callback(self._kill_all)
        with self.server.client() as client:
            for queue in QUEUES:
                client.hset(f"{PREFIX}:{queue}:meta", "opts.maxLenEvents", str(_EVENTS))
        self.app = await self._ending.enter_async_context(App(desk(), self.server.url, prefix=PREFIX))
        for number, ahead in enumerate((0, 60, -60)):
            self._start_worker(f"worker-{number}", ahead)
        for queue in ("signals", "ticks"):
            self._start_node(queue)
        producers = [self._add_signals(key) for key in SIGNAL_KEYS]
        producers += [self._add_ticks(symbol) for symbol in SYMBOLS]
        producers += [self._add_quotes(), self._add_orders(), self._look()]
        self._tasks = [asyncio.create_task(each) for each in producers]
        await eventually(lambda: all(self._is_active(player) for player in self._players()), within=120)

    async def _add(self, queue: str, name: str, data: object, **options: Any) -> str | None:
        """Add a job until it is known to be there, or not known at all."""
        async for _ in ticks(0.02):
            try:
                return (await self.app.queue(queue).add(name, data, **options)).id
            except ServerUnavailable:
                continue
            except ReplyLost:
                return None
        raise AssertionError("ticks end only when they are told to")

    async def _add_signals(self, key: str) -> None:
        async for number in ticks(0.4):
            if self._over.is_set():
                return
            # A signal whose reply was lost may stand among those of its key: the others are in order as well.
            job_id = await self._add("signals", "good", {"key": key, "number": number}, key=key)
            if job_id is not None:
                self.signals[key].append(job_id)

    async def _add_ticks(self, symbol: str) -> None:
        async for number in ticks(0.05):
            if self._over.is_set():
                return
            if await self._add("ticks", "good", {"key": symbol, "number": number}, coalesce=symbol) is not None:
                self.latest[symbol] = number

    async def _add_quotes(self) -> None:
        async for number in ticks(0.06):
            if self._over.is_set():
                return
            job_id = await self._add("quotes", "quote", number)
            self.quotes += [job_id] if job_id is not None else []

    async def _add_orders(self) -> None:
        async for _ in ticks(0.1):
            if self._over.is_set():
                return
            cost = self._random.randint(1, 10)
            job_id = await self._add("orders", "order", {"cost": cost}, cost=cost)
            self.orders += [job_id] if job_id is not None else []

    async def _look(self) -> None:
        async for _ in ticks(0.1):
            if self._over.is_set():
                return
            try:
                found: Any = await asyncio.to_thread(self._waiting_now)
            except (redis.ConnectionError, redis.TimeoutError):
                continue
            at, jobs = found[0], found[1:]
            by_key: defaultdict[str, set[str]] = defaultdict(set)
            for key, job_id in zip(jobs[::2], jobs[1::2], strict=True):
                by_key[key].add(job_id)
            self.waiting += [Waiting(at, key, frozenset(by_key[key])) for key in SYMBOLS]

    def _waiting_now(self) -> Any:
        with self.server.client() as client:
            return client.eval(_LOOK, 1, f"{PREFIX}:ticks:")

    async def _kill_worker(self) -> None:
        name = self._random.choice(list(self._workers))
        process, ahead = self._workers[name]
        process.kill()
        process.wait()
        drop_unfinished_line(self._folder / f"{name}.diary")
        self._start_worker(name, ahead)

    async def _freeze_worker(self) -> None:
        process, _ = self._workers[self._random.choice(list(self._workers))]
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(LEASE_SECONDS * 1.5)
        process.send_signal(signal.SIGCONT)

    async def _kill_server(self) -> None:
        self.server.kill()
        await asyncio.sleep(_AWAY)
        await asyncio.to_thread(self.server.start)

    async def _cut_connections(self) -> None:
        with self.server.client() as client:
            async for _ in ticks(0.2, 3):
                client.client_kill_filter(_type="normal", skipme=True)

    def _start_worker(self, name: str, ahead: int) -> None:
        environment = {
            **os.environ,
            "DESK_URL": self.server.url,
            "DESK_PREFIX": PREFIX,
            "DESK_FOLDER": str(self._folder),
        }
        command = [sys.executable, "-m", "tests.faults.desk_programs", name, str(ahead)]
        with open(self._folder / f"{name}.log", "ab") as log:
            self._workers[name] = (Forked(command, env=environment, stderr=log), ahead)

    def _start_node(self, queue: str) -> None:
        worker = Player(
            "work",
            f"node-{queue}",
            url=self.server.url,
            prefix=PREFIX,
            queue=queue,
            folder=self._folder,
            node=True,
            concurrency=1,
            run_ms=20,
            lease_ms=LEASE_SECONDS * 1000,
        )
        self._nodes.append(worker)

    def _players(self) -> list[str]:
        return [*self._workers, "node-signals", "node-ticks"]

    def _size(self, player: str) -> int:
        diary = self._folder / f"{player}.diary"
        return diary.stat().st_size if diary.exists() else 0

    def _is_active(self, player: str) -> bool:
        return self._size(player) > 0

    def _all_went_on(self, marks: dict[str, int]) -> bool:
        return all(self._size(player) > size for player, size in marks.items())

    async def _is_drained(self) -> bool:
        counts = [await self.app.queue(queue).count("waiting", "active", "delayed") for queue in QUEUES]
        return not any(counts)

    def _kill_all(self) -> None:
        for process, _ in self._workers.values():
            process.kill()
            process.wait()
        for node in self._nodes:
            node.kill()
        self.server.stop()
