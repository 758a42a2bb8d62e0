"""A channel as it is declared: its name, the type of its messages, and how long they are kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from stockyard.errors import InvalidOption
from stockyard.model.duration import Duration, milliseconds

T = TypeVar("T")
OnInvalid = Callable[[bytes, Exception], None]
"""Is given a message's text and what is wrong with it."""

_NAME = re.compile(r"[\w.-]+(:[\w.-]+)*", re.ASCII)


class Channel(Generic[T]):
    """A declared channel; ``app.channel(it)`` publishes and reads.

    Args:
        name: letters, digits, '_', '.', '-', and single ':' between them.
        type: of the messages: a Struct, a dataclass, a pydantic model, or what JSON has. Defaults to ``Any``.
        durable: the server keeps the messages, and groups of consumers acknowledge them. Defaults to False: who
            does not listen misses them.
        keep: how long a durable channel keeps a message at least. Defaults to a day; None for without limit.
        max_len: how many messages it keeps at most. Defaults to 100,000; None for without limit.
        attempts: how often a message is delivered to a group before it is a dead letter. Defaults to 5.
        idle: how long a consumer that gives no sign of life keeps its messages. Defaults to 30 s.
        on_invalid: is told of messages that do not fit the type. Defaults to None: they are counted and logged.

    Raises:
        InvalidOption: an argument is out of its range, or one of a durable channel is given for a live one.
    """

    def __init__(
        self,
        name: str,
        type: type[T] | Any = Any,  # noqa: A002
        *,
        durable: bool = False,
        keep: Duration | None = "1d",
        max_len: int | None = 100_000,
        attempts: int = 5,
        idle: Duration = "30s",
        on_invalid: OnInvalid | None = None,
    ) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidOption(
                "a channel's name must be letters, digits, '_', '.', '-', and single ':' between them; "
                f"got {name!r}"
            )
        if on_invalid is not None and not callable(on_invalid):
            raise InvalidOption(f"on_invalid must be a function of a text and an error; got {on_invalid!r}")
        self.name = name
        self.type = type
        self.durable = durable
        self.keep_ms = None if keep is None else _at_least(milliseconds(keep, option="keep"), 1, "keep", keep)
        self.max_len = None if max_len is None else checked_count(max_len, "max_len")
        self.attempts = checked_count(attempts, "attempts")
        self.idle_ms = _at_least(milliseconds(idle, option="idle"), 100, "idle", idle)
        self.on_invalid = on_invalid
        if not durable and (keep, max_len, attempts, idle) != ("1d", 100_000, 5, "30s"):
            raise InvalidOption(f"channel {name!r}: keep, max_len, attempts and idle need durable=True")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Channel) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        kind = ", durable" if self.durable else ""
        return f"<Channel {self.name!r} of {getattr(self.type, '__name__', self.type)}{kind}>"


def checked_count(value: int, option: str) -> int:
    """Return a whole number of 1 or more.

    Raises:
        InvalidOption: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidOption(f"{option} must be a whole number, 1 or more; got {value!r}")
    return value


def _at_least(amount: int, least: int, option: str, given: object) -> int:
    if amount < least:
        raise InvalidOption(f"{option} must be {least} ms or more; got {given!r}")
    return amount
