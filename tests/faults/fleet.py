"""Servers, and the processes that add and run jobs on them while a fault happens."""

import asyncio
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import redis

from stockyard.model.durability import Durability
from stockyard.model.naming import Naming
from stockyard.testing.judgement import Faults, HistoryReport, judge
from stockyard.testing.proxy import Proxy
from tests.faults.players import LEASE_MS, RUN_SECONDS, Player
from tests.support.history import diary_of, read_diaries, read_diary, read_remains
from tests.support.servers import OwnServer
from tests.support.waiting import eventually

PREFIX, QUEUE = "h", "q"
CONCURRENCY = 4
"""Of each worker."""
_EVENTS = 1_000_000
"""Events that the server keeps: all of them, since the checker counts them."""


class Fleet(ABC):
    """Two producers and two workers of ours, one of each of Node, on the servers of a subclass.

    Attributes:
        players: the processes.
        base: what the keys of their queue begin with.

    Args:
        naming: how keys are spelled.
        rate: jobs that each producer adds a second.
        backlog: jobs that wait from the beginning; with none, the workers wait for jobs.
        durability: of our adds; a producer of Node could not ask for it, so with it there is none.
        with_node: whether a worker of Node runs jobs as well. Defaults to True.
    """

    def __init__(
        self,
        naming: Naming,
        *,
        rate: int,
        backlog: int = 0,
        durability: Durability | None = None,
        with_node: bool = True,
    ) -> None:
        self._ending = AsyncExitStack()
        self._spelling = naming.node(QUEUE)
        self._rate = rate
        self._backlog = backlog
        self._durability = durability
        self._with_node = with_node
        self.base: str = f"{naming.place(QUEUE)}:"
        self.players: list[Player] = []

    @abstractmethod
    def url(self, role: str, *, node: bool) -> str:
        """Return where a process of that role finds the server."""

    @abstractmethod
    def client(self) -> "redis.Redis":
        """Return a client of the server that has the queue now."""

    @abstractmethod
    async def _start_servers(self) -> None:
        """Start what the processes use; it ends with the fleet."""

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            # The processes would go on for ever, and the tests behind this one would be late as well.
            await self._ending.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._ending.aclose()

    def play(self, role: str, name: str, *, node: bool = False, **options: Any) -> Player:
        """Start one more process."""
        prefix, queue = self._spelling if node else (PREFIX, QUEUE)
        player = Player(
            role,
            name,
            url=self.url(role, node=node),
            prefix=prefix,
            queue=queue,
            folder=self.folder,
            node=node,
            **options,
        )
        self.players.append(player)
        return player

    async def all_go_on(self, since: float) -> None:
        """Return once every process has added a job after that time, or ended one that it began after it.

        A process that has ended by itself fails the test at once.
        """
        waited = list(self.players)

        def nobody_is_waited_for() -> bool:
            waited[:] = [player for player in waited if not self._went_on(player, since)]
            return not waited

        try:
            await eventually(nobody_is_waited_for, within=60, every=0.25)
        except AssertionError:
            told = "\n".join(f"{player.name} did not go on; its log:\n{player.log()}" for player in waited)
            raise AssertionError(told) from None

    def _went_on(self, player: Player, since: float) -> bool:
        if player.was_killed:
            return True
        player.check_running()
        notes = [note for note in read_diary(diary_of(self.folder, player.name)) if note.at > since]
        tried = {note.key for note in notes if note.what in ("try", "start")}
        return any(note.what in ("ack", "end") and note.key in tried for note in notes)

    async def judge(
        self, times: Sequence[tuple[float, float]], *, forgets: float, keeps_jobs: bool = False
    ) -> HistoryReport:
        """End the load, let every job end, end the workers, and compare what they wrote with the server."""
        until = time.time()
        problems = await self._end("produce")
        await eventually(self._is_drained, within=60, every=0.1)
        problems += await self._end("work")
        with self.client() as client:
            remains = read_remains(client, self.base)
        workers = [each.name for each in self._alive("work") if not each.is_node]
        peers = [each.name for each in self.players if each.is_node]
        faults = Faults(times, until, forgets, keeps_jobs)
        verdict = judge(read_diaries(self.folder), remains, faults, workers=workers, peers=peers)
        verdict.problems += problems
        return verdict

    async def _start(self) -> None:
        self.folder = Path(self._ending.enter_context(tempfile.TemporaryDirectory(prefix="stockyard-history-")))
        await self._start_servers()
        with self.client() as client:
            client.hset(f"{self.base}meta", "opts.maxLenEvents", str(_EVENTS))
        self._ending.callback(self._kill_players)
        for name in ("producer-1", "producer-2"):
            self.play("produce", name, backlog=self._backlog // 2, rate=self._rate, durability=self._durability)
        for name in ("worker-1", "worker-2"):
            self.play("work", name, concurrency=CONCURRENCY)
        if self._durability is None:
            self.play("produce", "node-producer", node=True, rate=self._rate, events=_EVENTS)
        if self._with_node:
            run_ms = round(RUN_SECONDS * 1000)
            self.play("work", "node-worker", node=True, concurrency=CONCURRENCY, run_ms=run_ms, lease_ms=LEASE_MS)
        await self.all_go_on(0)

    def _alive(self, role: str) -> list[Player]:
        return [player for player in self.players if player.role == role and not player.was_killed]

    async def _end(self, role: str) -> list[str]:
        """End the processes of that role; return what was wrong with it."""
        ending = self._alive(role)
        for player in ending:
            player.ask_to_end()
        codes = [(player.name, await asyncio.to_thread(player.wait, 60)) for player in ending]
        return [f"{name} ended with status {code}" for name, code in codes if code]

    def _kill_players(self) -> None:
        for player in self.players:
            player.kill()

    def _is_drained(self) -> bool:
        with self.client() as client:
            waiting = [client.llen(self.base + name) for name in ("wait", "active")]
            delayed = [client.zcard(self.base + name) for name in ("delayed", "prioritized")]
        return not any([*waiting, *delayed])


class ServerFleet(Fleet):
    """A fleet on one server; each party is behind a proxy of its own.

    Attributes:
        server: where the jobs are.
        producers, workers, node: the proxies.

    Args:
        appendfsync: of the server.
        backlog, with_node: those of ``Fleet``.
    """

    def __init__(self, *, appendfsync: str, backlog: int, with_node: bool = True) -> None:
        super().__init__(Naming(PREFIX), rate=30 if backlog else 20, backlog=backlog, with_node=with_node)
        self._appendfsync = appendfsync
        self.server: OwnServer
        self.producers: Proxy
        self.workers: Proxy
        self.node: Proxy

    @property
    def proxies(self) -> list[Proxy]:
        return [self.producers, self.workers, self.node]

    def url(self, role: str, *, node: bool) -> str:
        proxy = self.node if node else self.producers if role == "produce" else self.workers
        return proxy.url

    def client(self) -> "redis.Redis":
        return self.server.client()

    def add_server(self, **options: str) -> OwnServer:
        """Start a server that ends with the fleet."""
        data = Path(tempfile.mkdtemp(dir=self.folder, prefix="server-"))
        server = OwnServer(data, port=True, options={"appendfsync": self._appendfsync, **options})
        self._ending.callback(server.stop)
        server.start()
        return server

    async def _start_servers(self) -> None:
        self.server = self.add_server()
        self.producers, self.workers, self.node = [
            await self._ending.enter_async_context(Proxy(self.server.url)) for _ in range(3)
        ]
