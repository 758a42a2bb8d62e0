"""Which node of a cluster serves which slot, as the cluster last said."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from stockyard._store.net.slots import SLOTS

UNKNOWN_HOST = "?"
"""What stands for the name of a node that was given none."""


class Node(NamedTuple):
    """Where a node listens."""

    host: str
    port: int


class SlotRange(NamedTuple):
    """Slots from the first to the last, and the primary that serves them."""

    first: int
    last: int
    node: Node


class SlotMap:
    """The primaries by slot; a slot that none serves is not there.

    Attributes:
        primaries: every primary that serves slots, in the order of their first slots.
    """

    def __init__(self) -> None:
        self._nodes: list[Node | None] = []
        self.primaries: tuple[Node, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether any node has said which slots there are."""
        return bool(self._nodes)

    def node_of(self, slot: int) -> Node | None:
        """Return the primary of a slot, if one is known."""
        return self._nodes[slot] if self._nodes else None

    def point(self, slot: int, node: Node) -> None:
        """Note where a node says that a slot is now."""
        if self._nodes:
            self._nodes[slot] = node
            if node not in self.primaries:
                self.primaries += (node,)

    def replace(self, ranges: Iterable[SlotRange]) -> None:
        """Take what the cluster says for what is."""
        nodes: list[Node | None] = [None] * SLOTS
        primaries: dict[Node, None] = {}
        for first, last, node in sorted(ranges):
            nodes[first : last + 1] = [node] * (last + 1 - first)
            primaries[node] = None
        # In one step each, as other threads read them.
        self._nodes, self.primaries = nodes, tuple(primaries)


def ranges_of_shards(reply: Any, asked: Node, *, uses_tls: bool) -> list[SlotRange]:
    """Read a reply to ``CLUSTER SHARDS``.

    Args:
        reply: the reply.
        asked: who gave it; a node that does not know its own host is reached there.
        uses_tls: the connections use TLS, for which nodes have another port.
    """
    ranges = []
    for shard in map(_facts, reply):
        slots = [int(each) for each in shard["slots"]]
        nodes = [_facts(node) for node in shard["nodes"]]
        serving = [node for node in nodes if _text(node.get("role")) == "master"]
        # A primary that has failed stays one until a replica takes its place.
        healthy = [node for node in serving if _text(node.get("health")) != "fail"] or serving
        if not healthy:
            continue
        port = (healthy[0].get("tls-port") if uses_tls else None) or healthy[0].get("port") or asked.port
        node = Node(_host(healthy[0].get("endpoint"), healthy[0].get("ip"), asked), int(port))
        ranges += [SlotRange(first, last, node) for first, last in zip(slots[::2], slots[1::2], strict=True)]
    return ranges


def ranges_of_slots(reply: Any, asked: Node) -> list[SlotRange]:
    """Read a reply to ``CLUSTER SLOTS``, which servers before Redis 7 give."""
    ranges = []
    for first, last, primary, *_ in reply:
        more = _facts(primary[3]) if len(primary) > 3 else {}
        node = Node(_host(primary[0], more.get("ip"), asked), int(primary[1]))
        ranges.append(SlotRange(int(first), int(last), node))
    return ranges


def _host(endpoint: Any, ip: Any, asked: Node) -> str:
    """Return where to reach a node: without an endpoint, as behind a balancer, by the host that was asked."""
    host = _text(endpoint)
    if host == UNKNOWN_HOST:
        # Nodes are to be reached by names, and this one has none.
        host = _text(ip)
    return host or asked.host


def _facts(flat: Any) -> dict[str, Any]:
    return {_text(name): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")
