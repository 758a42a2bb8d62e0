"""All channels of one App, and the connections that they share."""

from __future__ import annotations

from typing import Any, TypeVar

from stockyard._aio.per_loop import PerLoop
from stockyard._aio.portal import Portal
from stockyard._store.channels import listing
from stockyard._store.channels.broadcast import ChannelKeyspace
from stockyard._store.channels.listing import ChannelNote
from stockyard._store.net.server import Server
from stockyard.errors import InvalidOption
from stockyard.model.naming import Naming
from stockyard.pubsub.channel import Channel
from stockyard.pubsub.groups import consumer_group
from stockyard.pubsub.hub import Hub
from stockyard.pubsub.open_channel import OpenChannel
from stockyard.pubsub.server_channels import ServerChannel
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
            note = ChannelNote(keyspace, self._naming)
            opened = OpenChannel(channel, keyspace=keyspace, note=note, hubs=self._hubs, portal=self._portal)
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

    async def on_server(self) -> list[ServerChannel]:
        """Return all channels under the app's prefix that keep messages or are listened to, by name.

        Channels of other programs are among them: a durable one since a program of this version published on it, a
        live one while it is listened to.

        Raises:
            ServerRefused: the server's user may not look at channels.
            ServerUnavailable: the server could not be reached within the call timeout.
        """
        known = [name for name, each in self._open.items() if each.channel.durable]
        streams = await listing.read_streams(self._server, self._naming, known)
        listeners = await listing.read_listeners(self._server, self._naming)
        found = [
            ServerChannel(
                each.name,
                True,
                length=each.length,
                first=None if each.first_ms is None else each.first_ms / 1000,
                last=None if each.last_ms is None else each.last_ms / 1000,
                dead=each.dead,
                groups=tuple(map(consumer_group, each.groups)),
            )
            for each in streams
        ]
        found += [ServerChannel(name, False, listeners=number) for name, number in listeners.items()]
        return sorted(found, key=lambda each: (each.name, each.durable))

    async def aclose(self) -> None:
        """End those who read in this loop; what they did not acknowledge is handed back."""
        for each in self._open.values():
            await each.close_readers()
