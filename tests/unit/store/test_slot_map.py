"""What a cluster says of its slots."""

from typing import Any

import pytest

from stockyard._store.net.slot_map import Node, SlotMap, SlotRange, ranges_of_shards, ranges_of_slots

ASKED = Node("asked", 7000)


def node(endpoint: bytes | None = b"here", **facts: Any) -> list[Any]:
    known = {
        "ip": b"10.0.0.1",
        "endpoint": endpoint,
        "port": 7001,
        "role": b"master",
        "health": b"online",
        **facts,
    }
    return [part for name, value in known.items() for part in (name.replace("_", "-").encode(), value)]


def shard(slots: list[int], *nodes: list[Any]) -> list[Any]:
    return [b"slots", slots, b"nodes", list(nodes)]


def ranges(*shards: list[Any], uses_tls: bool = False) -> list[SlotRange]:
    return ranges_of_shards(list(shards), ASKED, uses_tls=uses_tls)


@pytest.mark.parametrize(
    ("found", "host"),
    [
        (node(b"here"), "here"),
        (node(b"node-1.example.org"), "node-1.example.org"),
        # A node that does not know where it is, or is behind a balancer, is where it was asked.
        (node(b"", ip=b""), "asked"),
        (node(None), "asked"),
        # It was given no name: its number is known.
        (node(b"?"), "10.0.0.1"),
        (node(b"?", ip=b""), "asked"),
    ],
)
def test_where_a_node_is(found: list[Any], host: str) -> None:
    assert ranges(shard([0, 5], found)) == [SlotRange(0, 5, Node(host, 7001))]


def test_tls_has_another_port() -> None:
    both = shard([0, 5], node(tls_port=7443))
    assert ranges(both)[0].node.port == 7001
    assert ranges(both, uses_tls=True)[0].node.port == 7443
    assert ranges(shard([0, 5], node()), uses_tls=True)[0].node.port == 7001


def test_a_shard_may_have_several_ranges_or_none() -> None:
    there = Node("here", 7001)
    assert ranges(shard([0, 5, 9, 9], node()), shard([], node(b"idle"))) == [
        SlotRange(0, 5, there),
        SlotRange(9, 9, there),
    ]


def test_replicas_serve_nothing() -> None:
    replica = node(b"replica", role=b"replica")
    assert [each.node.host for each in ranges(shard([0, 5], replica, node()))] == ["here"]
    assert ranges(shard([0, 5], replica)) == []


def test_a_primary_that_has_failed_serves_until_another_does() -> None:
    failed = node(b"failed", health=b"fail")
    replica = node(b"replica", role=b"replica")
    assert [each.node.host for each in ranges(shard([0, 5], failed, replica))] == ["failed"]
    assert [each.node.host for each in ranges(shard([0, 5], failed, replica, node(b"new")))] == ["new"]
    assert [each.node.host for each in ranges(shard([0, 5], node(b"loads", health=b"loading")))] == ["loads"]


def test_older_servers() -> None:
    replica = [b"replica", 7002, b"id", []]
    reply = [
        [0, 5, [b"here", 7001, b"id", []], replica],
        [6, 7, [b"", 7001, b"id"]],
        [8, 8, [None, 7003, b"id", [b"ip", b"10.0.0.3"]]],
        [9, 9, [b"?", 7004, b"id", [b"ip", b"10.0.0.4"]]],
        [10, 10, [b"?", 7005, b"id"]],
    ]
    assert ranges_of_slots(reply, ASKED) == [
        SlotRange(0, 5, Node("here", 7001)),
        SlotRange(6, 7, Node("asked", 7001)),
        SlotRange(8, 8, Node("asked", 7003)),
        SlotRange(9, 9, Node("10.0.0.4", 7004)),
        SlotRange(10, 10, Node("asked", 7005)),
    ]


def test_the_map() -> None:
    slots, here, there, third = SlotMap(), Node("here", 1), Node("there", 2), Node("third", 3)
    assert (slots.is_known, slots.node_of(0), slots.primaries) == (False, None, ())
    slots.point(0, here)
    assert not slots.is_known, "one slot alone is no map"
    slots.replace([SlotRange(100, 199, there), SlotRange(0, 99, here), SlotRange(300, 300, here)])
    assert list(slots.primaries) == [here, there]
    found = [slots.node_of(slot) for slot in (0, 99, 100, 199, 200, 300, 16_383)]
    assert found == [here, here, there, there, None, here, None]
    slots.point(200, third)
    assert slots.node_of(200) == third
    assert list(slots.primaries) == [here, there, third]
    slots.replace([SlotRange(0, 16_383, there)])
    assert [slots.node_of(200), *slots.primaries] == [there, there]
