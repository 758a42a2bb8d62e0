"""A call on a connection of its own follows what the nodes of a cluster say of its slot."""

from collections.abc import Sequence
from typing import Any

import pytest

from stockyard._store.net.asking import asking, without_asking
from stockyard._store.net.cluster import Cluster
from stockyard._store.net.connection import Command
from stockyard._store.net.dedicated import DedicatedConnection
from stockyard._store.net.refusals import refusal_of
from stockyard._store.net.slot_map import Node, SlotRange
from stockyard._store.net.slots import slot_of
from stockyard.config import Address
from stockyard.errors import SlotMoving

A, B = Node("a", 7000), Node("b", 7001)
KEY = "{k}:events"
READ: Command = ("XRANGE", KEY, "-", "+")
WAIT: Command = ("XREAD", "BLOCK", 100, "STREAMS", KEY, "0")
ASKING: Command = ("ASKING",)


def moved(node: Node) -> Any:
    return refusal_of(f"MOVED {slot_of(KEY)} {node.host}:{node.port}", "redis+cluster://a")


def ask(node: Node) -> Any:
    return refusal_of(f"ASK {slot_of(KEY)} {node.host}:{node.port}", "redis+cluster://a")


class FakeConnection(DedicatedConnection):
    """Answers with what is lined up for the node that it leads to, else with the node's name."""

    def __init__(self, cluster: Cluster, *, is_located: bool = True) -> None:
        locator = cluster._locator_of(KEY) if is_located else None
        super().__init__(cluster.address, call_timeout=5.0, locator=locator)
        self.host = ""
        self.answers: dict[str, list[Any]] = {}
        self.sent: list[tuple[str, list[Command]]] = []

    @property
    def is_open(self) -> bool:
        return bool(self.host) and not self.is_misled

    async def reopen(self) -> None:
        self.host = A.host if self._locator is None else (await self._locator.locate(self.sibling)).host
        self.is_misled = False

    async def ask(
        self, commands: Sequence[Command], timeout: float | None, *, silence: float | None = None
    ) -> list[Any]:
        self.sent.append((self.host, list(commands)))
        lined_up = self.answers.get(self.host, [])
        return [b"OK" if command == ASKING else lined_up.pop(0) if lined_up else self.host for command in commands]

    @property
    def hosts(self) -> list[str]:
        return [host for host, _ in self.sent]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster(Address("redis+cluster", hosts=(tuple(A), tuple(B))))  # type: ignore[arg-type]
    made._slots.replace([SlotRange(0, 16_383, A)])

    async def look(_deadline: float) -> None:
        pass

    monkeypatch.setattr(made, "look", look)
    return made


def move(cluster: Cluster, node: Node) -> None:
    cluster._slots.point(slot_of(KEY), node)


def test_asking_stands_before_each_command_and_once_before_a_transaction() -> None:
    assert asking([READ, WAIT]) == [ASKING, READ, ASKING, WAIT]
    assert without_asking([READ, WAIT], [b"OK", 1, b"OK", 2]) == [1, 2]
    transaction: list[Command] = [("MULTI",), READ, ("EXEC",)]
    assert asking(transaction) == [ASKING, *transaction]
    assert without_asking(transaction, [b"OK", b"OK", b"QUEUED", [1]]) == [b"OK", b"QUEUED", [1]]


async def test_a_slot_that_was_moved_is_followed(cluster: Cluster) -> None:
    connection = FakeConnection(cluster)
    connection.answers["a"] = [moved(B), moved(B)]
    move(cluster, B)
    await connection.call(READ)
    connection.host = "a"
    assert await connection.call(WAIT, READ) == ["b", "b"]
    assert connection.hosts == ["b", "a", "b"]


async def test_only_what_did_not_run_is_sent_again(cluster: Cluster) -> None:
    connection = FakeConnection(cluster)
    connection.answers["a"] = ["an event", ask(B)]
    assert await connection.call(WAIT, READ) == ["an event", "b"]
    assert connection.sent == [("a", [WAIT, READ]), ("b", [ASKING, READ])]


async def test_it_asks_while_the_slot_is_being_moved_and_not_afterwards(cluster: Cluster) -> None:
    connection = FakeConnection(cluster)
    locator = connection._locator
    assert locator is not None
    connection.answers["a"] = [ask(B)]
    assert await connection.call(READ) == ["b"]
    assert await connection.call(WAIT, READ) == ["b", "b"]
    assert locator.is_current(cluster.address.at(*B))
    assert connection.sent[1:] == [("b", [ASKING, READ]), ("b", [ASKING, WAIT, ASKING, READ])]
    move(cluster, B)
    assert await connection.call(READ) == ["b"]
    assert connection.sent[-1] == ("b", [READ])
    assert locator.is_current(cluster.address.at(*B))
    move(cluster, A)
    assert not locator.is_current(cluster.address.at(*B)), "it had the slot, and lost it"


async def test_a_move_that_was_broken_off(cluster: Cluster) -> None:
    connection = FakeConnection(cluster)
    connection.answers = {"a": [ask(B)], "b": [moved(A)]}
    assert await connection.call(READ) == ["a"]
    assert connection.hosts == ["a", "b", "a"]
    assert connection.sent[-1] == ("a", [READ])


async def test_a_transaction_is_sent_whole(cluster: Cluster) -> None:
    connection = FakeConnection(cluster)
    connection.answers["a"] = [b"OK", ask(B), b"QUEUED", "EXECABORT"]
    transaction: list[Command] = [("MULTI",), READ, ("TIME",), ("EXEC",)]
    assert await connection.call(*transaction) == ["b"] * 4
    assert connection.sent[1] == ("b", [ASKING, *transaction])


async def test_two_nodes_that_name_each_other(cluster: Cluster) -> None:
    connection = FakeConnection(cluster)
    connection.answers = {"a": [ask(B)] * 9, "b": [moved(A)] * 9}
    (reply,) = await connection.call(READ)
    assert isinstance(reply, Exception)
    assert connection.hosts == ["a", "b", "a", "b"]


@pytest.mark.parametrize("refusal", [ask(Node("?", 7001)), refusal_of("TRYAGAIN Multiple keys", "redis://a")])
async def test_what_cannot_be_followed_is_the_reply(cluster: Cluster, refusal: Any) -> None:
    connection = FakeConnection(cluster)
    connection.answers["a"] = [refusal]
    assert await connection.call(READ) == [refusal]
    assert connection.hosts == ["a"]


async def test_a_slot_of_which_keys_are_on_both_nodes(cluster: Cluster) -> None:
    connection = FakeConnection(cluster)
    connection.answers = {"a": [ask(B)], "b": [refusal_of("TRYAGAIN Multiple keys", "redis://b")]}
    (reply,) = await connection.call(READ)
    assert isinstance(reply, SlotMoving)


async def test_an_address_that_names_no_cluster_is_not_left(cluster: Cluster) -> None:
    connection = FakeConnection(cluster, is_located=False)
    connection.answers["a"] = [moved(B)]
    (reply,) = await connection.call(READ)
    assert isinstance(reply, Exception)
    assert connection.hosts == ["a"]
