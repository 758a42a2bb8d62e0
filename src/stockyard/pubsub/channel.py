"""A channel as it is declared: its name, the type of its messages, and how long they are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypedDict, TypeVar, Unpack, overload

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.duration import Duration
from stockyard.model.fixed import Fixed

T = TypeVar("T")
OnInvalid = Callable[[bytes, Exception], None]
"""Called with a message's text and the reason why it does not fit."""


class ChannelOptions(TypedDict, total=False):
    """What a channel takes beside its name and type; all but the last need ``durable``.

    Attributes:
        durable: the server keeps the messages, and groups of consumers acknowledge them. Defaults to False: who
            does not listen misses them.
        keep: how long a durable channel keeps a message at least. Defaults to a day; None for without limit.
        max_len: how many messages it keeps at most. Defaults to 100,000; None for without limit.
        attempts: how often a message is delivered to a group before it is a dead letter. Defaults to 5.
        idle: how long a consumer that gives no sign of life keeps its messages. Defaults to 30 s.
        on_invalid: called with messages that do not fit the type. Defaults to None: they are counted and logged.
    """

    durable: bool
    keep: Duration | None
    max_len: int | None
    attempts: int
    idle: Duration
    on_invalid: OnInvalid | None


class Channel(Fixed, Generic[T]):
    """A declared channel; ``app.channel(it)`` publishes and reads.

    Args:
        name: letters, digits, '_', '.', '-', and single ':' between them.
        type: of the messages: a Struct, a dataclass, a pydantic model, or what JSON has. Defaults to ``Any``.
        options: see ``ChannelOptions``.

    Raises:
        InvalidOption: an argument is out of its range or not known, or one of a durable channel is given for a
            live one.

    Example:
        prices = Channel("prices", Price)
        fills = Channel("fills", Fill, durable=True, keep="1h")
    """

    @overload
    def __init__(self, name: str, type: type[T], **options: Unpack[ChannelOptions]) -> None: ...

    @overload
    def __init__(self: Channel[Any], name: str, type: Any = Any, **options: Unpack[ChannelOptions]) -> None: ...

    def __init__(self, name: str, type: Any = Any, **options: Unpack[ChannelOptions]) -> None:  # noqa: A002
        checks.refuse_unknown(options, ChannelOptions.__annotations__, what="channel option")
        durable = checks.flag("durable", options.get("durable", False))
        for option in options:
            if not durable and option not in ("durable", "on_invalid"):
                raise InvalidOption(f"channel {name!r} is live and keeps nothing: {option} needs durable=True")
        keep, max_len = options.get("keep", "1d"), options.get("max_len", 100_000)
        on_invalid = options.get("on_invalid")
        if on_invalid is not None:
            checks.function("on_invalid", on_invalid)
        self.name: str = checks.name("a channel's name", name)
        self.type = type
        self.durable = durable
        self.keep_ms: int | None = None if keep is None else checks.positive_ms("keep", keep)
        self.max_len: int | None = None if max_len is None else checks.whole("max_len", max_len, least=1)
        self.attempts: int = checks.whole("attempts", options.get("attempts", 5), least=1)
        self.idle_ms: int = checks.positive_ms("idle", options.get("idle", "30s"), least=100)
        self.on_invalid = on_invalid
        self._is_made = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Channel) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        kind = ", durable" if self.durable else ""
        return f"<Channel {self.name!r} of {getattr(self.type, '__name__', self.type)}{kind}>"
