"""What a pool of connections does for the calls on a server, whichever way its callers wait."""

from __future__ import annotations

from abc import ABC, abstractmethod

from stockyard._store.net.connection import Connection

MAX_CONNECTIONS = 8
"""Connections of one pool that are in use at the same time; more callers wait for one."""


class Pool(ABC):
    """The connections that nobody uses now, and how many more there may be."""

    @abstractmethod
    async def take(self, limit: float) -> tuple[Connection, float]:
        """Return an open connection, the caller's until given back, and when its call is to be answered.

        Args:
            limit: seconds that the call may take.

        Raises:
            ServerUnavailable: none was free, or none could be opened, in that time.
        """

    @abstractmethod
    def give_back(self, connection: Connection) -> None:
        """Let the next caller have a connection; a pool that was closed meanwhile has no next caller."""

    @abstractmethod
    def drop_idle(self) -> None:
        """Close the connections that nobody uses: they lead to a server that is not the one to ask."""
