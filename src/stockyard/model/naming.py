"""How the parts of a platform are spelled in keys, with the hash tags that keep them in one slot of a cluster."""

from __future__ import annotations

from typing import Literal, NamedTuple

Slots = Literal["family", "queue", "one"]
"""What shares a slot of a cluster.

``family``: the queues whose names begin alike, up to the first colon. ``queue``: each queue has its own; so has a
queue without a family. ``one``: all queues, and all else.
"""


class NodeSpelling(NamedTuple):
    """How a Node service reaches a queue."""

    prefix: str
    name: str

    @property
    def constructor(self) -> str:
        """The call that makes it: ``new Queue(name, {prefix})``."""
        options = "" if self.prefix == "bull" else f", {{prefix: '{self.prefix}'}}"
        return f"new Queue('{self.name}'{options})"


class Naming(NamedTuple):
    """The spelling of keys.

    A prefix or a name that holds a brace of its own is left as it is: its user has chosen the tag.

    Attributes:
        prefix: first part of every key, but for the brace of a tag.
        slots: what shares a slot. Defaults to no tags, as on a single server.
    """

    prefix: str
    slots: Slots | None = None

    def place(self, queue: str) -> str:
        """Return what every key of a queue begins with, without the colon at its end.

        An empty part before the name, as in ``:cache:prices``, makes it one of the platform's other parts.
        """
        if self.slots is None or _has_brace(self.prefix) or _has_brace(queue):
            return f"{self.prefix}:{queue}"
        if self.slots == "one":
            return f"{{{self.prefix}}}:{queue}"
        if queue.startswith(":"):
            kind, _, rest = queue[1:].partition(":")
            return f"{{{self.prefix}::{kind}}}:{rest}"
        family, _, name = queue.partition(":")
        if self.slots == "family" and name:
            return f"{{{self.prefix}:{family}}}:{name}"
        head, _, name = f"{self.prefix}:{queue}".rpartition(":")
        return f"{head}:{{{name}}}"

    def part(self, kind: str, name: str = "") -> str:
        """Return what the keys of another part of the platform begin with; its empty part no queue's name has.

        Args:
            kind: ``cache``, ``channel`` and so on.
            name: of one that has a slot of its own. Defaults to all of its kind.
        """
        part = f"{self.prefix}::{kind}" + (f":{name}" if name else "")
        if self.slots is None or _has_brace(self.prefix):
            return part
        return f"{{{self.prefix}}}{part.removeprefix(self.prefix)}" if self.slots == "one" else f"{{{part}}}"

    def queue_of(self, place: str) -> str | None:
        """Return the queue of a place, or None when it is not spelled like this."""
        plain = place.replace("{", "").replace("}", "") if self.slots is not None else place
        for spelled in (plain, place):
            if spelled.startswith(f"{self.prefix}:"):
                queue = spelled[len(self.prefix) + 1 :]
                if queue and self.place(queue) == place:
                    return queue
        return None

    def node(self, queue: str) -> NodeSpelling:
        """Return how Node spells a queue, whose names hold no colon there."""
        head, _, tail = self.place(queue).rpartition(":")
        return NodeSpelling(head, tail)

    def holds(self, key: str) -> bool:
        """Say whether a key is one of this prefix."""
        return key.startswith((f"{self.prefix}:", f"{{{self.prefix}:", f"{{{self.prefix}}}:"))


def hash_tag(key: str) -> str:
    """Return the part of a key that decides its slot: what stands in its first braces, if anything, or all."""
    opened = key.find("{")
    if opened == -1:
        return key
    closed = key.find("}", opened + 1)
    return key[opened + 1 : closed] if closed > opened + 1 else key


def _has_brace(text: str) -> bool:
    return "{" in text or "}" in text
