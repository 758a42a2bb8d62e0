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
        former: nodes that were primaries and are none any more.
    """

    def __init__(self) -> None:
        self._nodes: list[Node | None] = []
        self.primaries: tuple[Node, ...] = ()
        self.former: frozenset[Node] = frozenset()

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
                self.former -= {node}

    def replace(self, ranges: Iterable[SlotRange]) -> None:
        """Take what the cluster says for what is."""
        nodes: list[Node | None] = [None] * SLOTS
        primaries: dict[Node, None] = {}
        for first, last, node in sorted(ranges):
            nodes[first : last + 1] = [node] * (last + 1 - first)
            primaries[node] = None
        # In one step each, as other threads read them.
        self.former = self.former.union(self.primaries) - primaries.keys()
        self._nodes, self.primaries = nodes, tuple(primaries)


def ranges_of(reply: Any, asked: Node) -> list[SlotRange]:
    """Read a reply to ``CLUSTER SLOTS``, which names the ports of connections like the one that asked.

    ``CLUSTER SHARDS`` will not do: a node whose configuration file did not name its shard at the start leaves
    itself out there (seen with Valkey 9.1).

    Args:
        reply: the reply.
        asked: who gave it; a node that does not know its own host is reached there.
    """
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
