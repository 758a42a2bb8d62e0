"""A cluster of three nodes that answer as a test says, under a clock that goes on while it waits."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Sequence
from typing import Any

from stockyard._store.net.cluster_calls import ClusterCalls, one_by_one
from stockyard._store.net.connection import Command
from stockyard._store.net.pool import Pool
from stockyard._store.net.refusals import refusal_of
from stockyard._store.net.script_call import ScriptCall
from stockyard._store.net.slot_map import Node
from stockyard._store.net.slots import slot_of
from stockyard._store.scripts import load
from stockyard.config import Address
from stockyard.errors import ServerRefused, ServerUnavailable

A, B, C = (Node(name, 7000 + number) for number, name in enumerate("abc"))
IN_A, IN_B, IN_C = "bar", "{c}:1", "foo"
PARTS = {A: (0, 5460), B: (5461, 10_922), C: (10_923, 16_383)}
SCRIPT = load("managing.pause_for")
LOOK = [("CLUSTER", "SLOTS")]


def moved(key: str, node: Node) -> Any:
    return refusal_of(f"MOVED {slot_of(key)} {node.host}:{node.port}", "redis+cluster://a")


def ask(key: str, node: Node) -> Any:
    return refusal_of(f"ASK {slot_of(key)} {node.host}:{node.port}", "redis+cluster://a")


def again() -> Any:
    return refusal_of("TRYAGAIN Multiple keys request during rehashing of slot", "redis+cluster://a")


def away() -> ServerUnavailable:
    return ServerUnavailable("no server there")


class Time:
    """The clock of the module: it goes on only while somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class FakeNode:
    """Answers with what is lined up for it, else with its own name; an error that is no reply is raised."""

    def __init__(self, node: Node, nodes: "FakeCluster") -> None:
        self._node = node
        self._cluster = nodes
        self.sent: list[list[Any]] = []
        self.answers: deque[Any] = deque()
        self.always: Any = None
        self.looks = 0
        self.trouble: Exception | None = None

    async def run_many(
        self,
        calls: Sequence[ScriptCall],
        *also: Command,
        timeout: float,
        stays: bool = False,
        then: Command | None = None,
    ) -> list[Any]:
        assert stays, "a node does not look for another one itself"
        replies = await self.ask_once([*calls, *also], timeout=timeout)
        if then is None or any(isinstance(reply, ServerUnavailable) for reply in replies):
            return replies
        return replies + await self.ask_once([then], timeout=timeout)

    async def ask_once(self, commands: Sequence[Any], *, timeout: float) -> list[Any]:
        assert timeout > 0
        if commands == LOOK:
            self.looks += 1
            await self._cluster.before_look()
            if self.trouble:
                raise self.trouble
            return [self._cluster.slots()]
        self.sent.append(list(commands))
        if self.trouble:
            raise self.trouble
        return [b"OK" if each == ("ASKING",) else self._answer() for each in commands]

    def _answer(self) -> Any:
        answer = self.answers.popleft() if self.answers else self.always
        return self._node.host.encode() if answer is None else answer() if callable(answer) else answer


class FakeCluster(ClusterCalls):
    """A cluster of three such nodes."""

    def __init__(self, time: Time) -> None:
        address = Address("redis+cluster", hosts=tuple(map(tuple, (A, B))))  # type: ignore[arg-type]
        super().__init__(address, call_timeout=5.0)
        self.time = time
        self.nodes = {node: FakeNode(node, self) for node in (A, B, C)}
        self.parts: dict[Node, tuple[int, int]] = dict(PARTS)
        self.refusal: ServerRefused | None = None
        self.pauses: list[float] = []
        self.is_looking = asyncio.Event()
        self.may_look = asyncio.Event()
        self.may_look.set()

    @property
    def looks(self) -> int:
        return sum(node.looks for node in self.nodes.values())

    def slots(self) -> Any:
        return self.refusal or [[*part, [node.host.encode(), node.port]] for node, part in self.parts.items()]

    async def before_look(self) -> None:
        self.is_looking.set()
        await self.may_look.wait()

    def _calls_on(self, node: Node) -> Any:
        return self.nodes[node]

    def _pool(self) -> Pool:
        raise AssertionError

    async def _pause(self, seconds: float) -> None:
        assert seconds > 0
        self.pauses.append(seconds)
        self.time.now += seconds
        await asyncio.sleep(0)

    async def _all(self, calls: Sequence[Awaitable[list[Any]]]) -> list[list[Any] | BaseException]:
        return await one_by_one(calls)


def call(key: str) -> ScriptCall:
    return ScriptCall(SCRIPT, (key,), (1,))


async def run(cluster: FakeCluster, *keys: str, **options: Any) -> list[Any]:
    return await cluster.run_many([call(key) for key in keys], **options)


def sends(cluster: FakeCluster) -> dict[str, int]:
    return {node.host: len(fake.sent) for node, fake in cluster.nodes.items() if fake.sent}
