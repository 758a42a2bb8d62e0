"""The queues of one application, declared in one place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from stockyard.errors import ConfigError, UnknownQueue
from stockyard.topology.queue_options import QueueOptions
from stockyard.topology.queue_spec import QueueSpec


class Topology:
    """A named set of queues.

    Args:
        name: of the application, for people.

    Example:
        shop = Topology("shop")
        mail = shop.queue("mail", concurrency=50, attempts=5, rate="100/s")
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._queues: dict[str, QueueSpec] = {}

    def queue(self, name: str, **options: Unpack[QueueOptions]) -> QueueSpec:
        """Declare a queue; the options are those of ``QueueOptions``.

        Raises:
            InvalidOption: an option is not known, or a value is out of its range.
            ConfigError: the name is taken, or is a part of another queue's name before a colon, so that
                the keys of one would look like those of a job of the other.
        """
        spec = QueueSpec.declare(str(name), **options)
        for other in self._queues:
            if other == spec.name:
                raise ConfigError(f"queue {other!r} is declared twice")
            outer, inner = sorted((other, spec.name), key=len)
            if inner.startswith(f"{outer}:"):
                raise ConfigError(
                    f"queue {inner!r} lies inside the keys of queue {outer!r}: rename one of them, "
                    f"as in {outer + ':default'!r}"
                )
        self._queues[spec.name] = spec
        return spec

    def spec(self, name: str) -> QueueSpec:
        """Return a declared queue.

        Raises:
            UnknownQueue: it is not declared; the message lists those that are.
        """
        found = self._queues.get(str(name))
        if found is None:
            raise UnknownQueue(str(name), self._queues)
        return found

    def __iter__(self) -> Iterator[QueueSpec]:
        return iter(self._queues.values())

    def __len__(self) -> int:
        return len(self._queues)

    def __contains__(self, name: object) -> bool:
        return name in self._queues

    @property
    def names(self) -> tuple[str, ...]:
        """The queues' names in the order declared."""
        return tuple(self._queues)
