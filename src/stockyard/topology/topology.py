"""The queues of one application, declared in one place."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar, Unpack, get_args

from stockyard.errors import ConfigError, InvalidOption, UnknownQueue
from stockyard.model import checks
from stockyard.model.fixed import Fixed
from stockyard.model.naming import Slots
from stockyard.model.sharding import shards_of
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
        undeclared: options of queues that are not declared: such a queue is declared with them when it is first
            asked for; ``{}`` takes the defaults. Each name stays in memory, so names must be few. Defaults to
            None: asking for one raises ``UnknownQueue``.

    Raises:
        ConfigError: the name is no text, or ``slots`` is none of these.
        InvalidOption: ``undeclared`` are no options of queues.

    Example:
        shop = Topology("shop")
        mail = shop.queue("mail", concurrency=50, attempts=5, rate="100/s")
    """

    def __init__(self, name: str, *, slots: Slots | None = None, undeclared: QueueOptions | None = None) -> None:
        if not checks.is_text(name):
            raise ConfigError(f"a topology's name is text without lone surrogates; got {checks.shown(name)}")
        if slots is not None and slots not in get_args(Slots):
            raise ConfigError(
                f"slots must be one of {', '.join(get_args(Slots))}, or None; got {checks.shown(slots)}"
            )
        if undeclared is not None:
            if not isinstance(undeclared, Mapping):
                raise InvalidOption(
                    f"undeclared must be options of queues by name, or None; got {checks.shown(undeclared)}"
                )
            QueueSpec.declare("undeclared", **undeclared)
        self.name = name
        self.slots = slots
        self.undeclared: QueueOptions | None = undeclared
        self._queues: dict[str, QueueSpec] = {}
        self.lifespans: list[LifespanFactory] = []
        self._is_made = True

    def queue(self, name: str, **options: Unpack[QueueOptions]) -> QueueSpec:
        """Declare a queue; the options are those of ``QueueOptions``.

        Raises:
            InvalidOption: an option is not known, a value is out of its range, or shards do not go with another
                option.
            ConfigError: the name cannot be a queue's, is taken, or is a part of another queue's name before a
                colon, so that the keys of one would look like those of a job of the other.
        """
        # str(None) is text too: only text, such as a member of a StrEnum, is made plain.
        spec = QueueSpec.declare(str(name) if isinstance(name, str) else name, **options)
        if spec.shards > 1 and self.slots == "one":
            raise InvalidOption(
                f"queue {spec.name!r} has shards={spec.shards}, each with a slot of its own, and the topology has "
                "slots='one', which puts all queues into one: choose slots='family' or 'queue'"
            )
        for other in tuple(self._queues):
            if other == spec.name:
                raise ConfigError(f"queue {other!r} is declared twice")
            outer, inner = sorted((other, spec.name), key=len)
            if inner.startswith(f"{outer}:"):
                raise ConfigError(
                    f"queue {inner!r} lies inside the keys of queue {outer!r}: rename one of them, "
                    f"as in {outer + ':default'!r}"
                )
        for other_spec in tuple(self._queues.values()):
            if shared := self._key_names(spec) & self._key_names(other_spec):
                raise ConfigError(
                    f"queues {other_spec.name!r} and {spec.name!r} would share keys: a shard of one of them is "
                    f"named {shared.pop()!r}. Rename one of them"
                )
        # One step, so that threads that ask for a new name at the same time get the same one.
        return self._queues.setdefault(spec.name, spec)

    def _key_names(self, spec: QueueSpec) -> set[str]:
        """Return the names under which the queue has keys, without the braces of tags."""
        if spec.shards == 1:
            return {spec.name}
        shards = shards_of(spec.name, spec.shards, self.slots)
        return {shard.queue.replace("{", "").replace("}", "") for shard in shards}

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
        """Return a declared queue; with ``undeclared``, one that is declared now if it was not.

        Raises:
            UnknownQueue: it is not declared; the message lists those that are.
            ConfigError: the name cannot be that of a queue; see ``queue``.
        """
        found = self._queues.get(str(name))
        if found is not None:
            return found
        if self.undeclared is None:
            raise UnknownQueue(str(name), self._queues)
        try:
            return self.queue(name, **self.undeclared)
        except ConfigError:
            # Another thread may have declared it meanwhile.
            if (declared := self._queues.get(str(name))) is not None:
                return declared
            raise

    def __iter__(self) -> Iterator[QueueSpec]:
        return iter(tuple(self._queues.values()))

    def __len__(self) -> int:
        return len(self._queues)

    def __contains__(self, name: object) -> bool:
        return name in self._queues

    @property
    def names(self) -> tuple[str, ...]:
        """The queues' names in the order declared."""
        return tuple(self._queues)
