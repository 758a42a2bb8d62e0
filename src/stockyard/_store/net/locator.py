"""Finds the server that a connection is to lead to, each time that it connects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from stockyard._store.net.slot_map import Node
from stockyard.config import Address
from stockyard.errors import ServerUnavailable


class Asked(Protocol):
    """A connection, as far as it serves to find a server."""

    async def open(self, timeout: float) -> None:
        """Connect; the errors are those of ``Connection.open``."""

    async def ask(self, commands: Sequence[Sequence[str | bytes | int | float]], timeout: float) -> list[Any]:
        """Send commands and return their replies."""

    async def close(self) -> None:
        """Disconnect."""


Connect = Callable[[Address], Asked]
"""Makes a connection, not open yet, that waits as the caller does."""


class Locator(ABC):
    """Knows where a server is now.

    Attributes:
        names_primaries: what it finds may have become a replica by the time that a connection is there: ask.
        connect_timeout: seconds in which a connection must be there; after that, another server may be the one.
    """

    names_primaries: bool = False
    connect_timeout: float = 1.0

    @property
    def is_asking(self) -> bool:
        """Whether what it found last only takes the keys over: commands need ``ASKING`` before them."""
        return False

    def lead_to(self, node: Node) -> bool:
        """Find, the next time, the node that a slot is being moved to; say whether that can be done."""
        return False

    @abstractmethod
    async def locate(self, connect: Connect) -> Address:
        """Return where the server is.

        Raises:
            ServerUnavailable: nobody says where.
        """

    def is_current(self, place: Address) -> bool:
        """Say whether the server is still at a place, as far as is known without asking."""
        return True

    def note_refusal(self, refusal: ServerUnavailable) -> bool:
        """Take in that a server did nothing; say whether the connection is not to be used any more.

        Args:
            refusal: what the server said.
        """
        return False

    async def refresh(self, connect: Connect) -> None:  # noqa: B027 - most need not
        """Find out where the server is now, for callers whose connections nobody watches; not at every call."""
