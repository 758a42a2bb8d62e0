"""What a cluster says of its slots."""

from typing import Any

import pytest

from stockyard._store.net.slot_map import Node, SlotMap, SlotRange, ranges_of

ASKED = Node("asked", 7000)


def node(endpoint: bytes | None = b"here", ip: bytes = b"") -> list[Any]:
    return [endpoint, 7001, b"id", [b"ip", ip] if ip else []]


@pytest.mark.parametrize(
    ("found", "host"),
    [
        (node(b"here"), "here"),
        (node(b"node-1.example.org", ip=b"10.0.0.1"), "node-1.example.org"),
        # A node that does not know where it is, or is behind a balancer, is where it was asked.
        (node(b""), "asked"),
        (node(None), "asked"),
        (node(None, ip=b"10.0.0.1"), "asked"),
        # It was given no name: its number is known.
        (node(b"?", ip=b"10.0.0.1"), "10.0.0.1"),
        (node(b"?"), "asked"),
        # As a Redis before 7 says it.
        ([b"here", 7001, b"id"], "here"),
        ([b"", 7001, b"id"], "asked"),
    ],
)
def test_where_a_node_is(found: list[Any], host: str) -> None:
    assert ranges_of([[0, 5, found]], ASKED) == [SlotRange(0, 5, Node(host, 7001))]


def test_the_first_of_a_range_serves_it_and_its_replicas_do_not() -> None:
    here, there = Node("here", 7001), Node("there", 7001)
    reply = [[0, 5, node(), node(b"replica")], [9, 9, node()], [6, 8, node(b"there")]]
    assert ranges_of(reply, ASKED) == [SlotRange(0, 5, here), SlotRange(9, 9, here), SlotRange(6, 8, there)]
    assert ranges_of([], ASKED) == []


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
