"""The queues of one application, declared in one place."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar, Unpack, get_args

from stockyard.errors import ConfigError, UnknownQueue
from stockyard.model import checks
from stockyard.model.fixed import Fixed
from stockyard.model.naming import Slots
from stockyard.topology.queue_options import QueueOptions
from stockyard.topology.queue_spec import QueueSpec

LifespanFactory = Callable[[], AbstractAsyncContextManager[Any]]
L = TypeVar("L", bound=Callable[[], Any])


class Topology(Fixed):
    """A named set of queues.

    Args:
        name: of the application, for people.
        slots: what shares a slot of a cluster, by a hash tag in the names of keys: ``family`` (queues whose names
            begin alike, up to the first colon), ``queue`` (each has its own), or ``one`` (all share one). Flows
            and parents stay within a slot. Defaults to ``family`` on a cluster, and to no tags elsewhere: set it
            to have the same names before and after a move to a cluster.

    Raises:
        ConfigError: the name is no text, or ``slots`` is none of these.

    Example:
        shop = Topology("shop")
        mail = shop.queue("mail", concurrency=50, attempts=5, rate="100/s")
    """

    def __init__(self, name: str, *, slots: Slots | None = None) -> None:
        if not checks.is_text(name):
            raise ConfigError(f"a topology's name is text without lone surrogates; got {checks.shown(name)}")
        if slots is not None and slots not in get_args(Slots):
            raise ConfigError(
                f"slots must be one of {', '.join(get_args(Slots))}, or None; got {checks.shown(slots)}"
            )
        self.name = name
        self.slots = slots
        self._queues: dict[str, QueueSpec] = {}
        self.lifespans: list[LifespanFactory] = []
        self._is_made = True

    def queue(self, name: str, **options: Unpack[QueueOptions]) -> QueueSpec:
        """Declare a queue; the options are those of ``QueueOptions``.

        Raises:
            InvalidOption: an option is not known, or a value is out of its range.
            ConfigError: the name cannot be a queue's, is taken, or is a part of another queue's name before a
                colon, so that the keys of one would look like those of a job of the other.
        """
        # str(None) is text too: only text, such as a member of a StrEnum, is made plain.
        spec = QueueSpec.declare(str(name) if isinstance(name, str) else name, **options)
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

    def lifespan(self, function: L) -> L:
        """Register what opens before the workers of a process run and closes after them, such as a pool.

        Args:
            function: an ``async def`` with one ``yield``, or one that ``asynccontextmanager`` made. The part
                before the ``yield`` runs before the first worker of the event loop takes a job; if it raises, no
                worker starts. The part after it runs when the last worker has stopped, within 2 s.

        Raises:
            ConfigError: it is neither.

        Example:
            @shop.lifespan
            async def database() -> AsyncIterator[None]:
                async with asyncpg.create_pool(DSN) as pool:
                    clients.pool = pool
                    yield
        """
        if inspect.isasyncgenfunction(function):
            self.lifespans.append(asynccontextmanager(function))
        elif callable(function) and inspect.isasyncgenfunction(getattr(function, "__wrapped__", None)):
            self.lifespans.append(function)
        else:
            raise ConfigError(
                f"a lifespan is an async def with one yield: what to open before it, what to close after it; "
                f"got {function!r}"
            )
        return function

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
