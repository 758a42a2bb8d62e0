"""All channels of one App, and the connections that they share."""

from __future__ import annotations

from typing import Any, TypeVar

from stockyard._aio.per_loop import PerLoop
from stockyard._aio.portal import Portal
from stockyard._store.channels.broadcast import ChannelKeyspace
from stockyard._store.net.server import Server
from stockyard.errors import InvalidOption
from stockyard.model.naming import Naming
from stockyard.pubsub.channel import Channel
from stockyard.pubsub.hub import Hub
from stockyard.pubsub.open_channel import OpenChannel
from stockyard.pubsub.stats import ChannelStats

T = TypeVar("T")


class Channels:
    """The channels of one App.

    Args:
        server: the server.
        naming: how keys are spelled.
        portal: runs blocking calls.
    """

    def __init__(self, server: Server, naming: Naming, *, portal: Portal) -> None:
        self._server = server
        self._naming = naming
        self._portal = portal
        self._hubs = PerLoop(lambda: Hub(server))
        self._open: dict[str, OpenChannel[Any]] = {}

    def open(self, channel: Channel[T]) -> OpenChannel[T]:
        """Return a channel on the server; asked again, the same.

        Raises:
            InvalidOption: it is no channel, or one of its name was declared otherwise.
            PayloadError: its type cannot be read from JSON.
        """
        if not isinstance(channel, Channel):
            raise InvalidOption(f"expected a Channel, as in Channel('prices', Price); got {channel!r}")
        found = self._open.get(channel.name)
        if found is None:
            keyspace = ChannelKeyspace(self._server, self._naming, channel.name)
            opened = OpenChannel(channel, keyspace=keyspace, hubs=self._hubs, portal=self._portal)
            # One step: another thread may have opened it meanwhile.
            found = self._open.setdefault(channel.name, opened)
        if found.channel != channel:
            raise InvalidOption(
                f"two channels are called {channel.name!r}: {found.channel!r} and {channel!r}; declare it once"
            )
        return found

    def find(self, name: str) -> Channel[Any] | None:
        """Return the declaration of a channel that was asked for, by its name, or None."""
        found = self._open.get(name)
        return None if found is None else found.channel

    def stats(self) -> dict[str, ChannelStats]:
        """Return what each channel did in this process, by name."""
        return {name: each.stats() for name, each in self._open.items()}

    async def aclose(self) -> None:
        """End those who read in this loop; what they did not acknowledge is handed back."""
        for each in self._open.values():
            await each.close_readers()
