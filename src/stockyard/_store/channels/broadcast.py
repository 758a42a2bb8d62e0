"""Publishes to those who listen now, and listens to many channels on one connection."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from stockyard._store.net.connection import accepted
from stockyard._store.net.parser import ParserError, ReplyError, ReplyParser
from stockyard._store.net.script_call import ScriptCall
from stockyard._store.net.server import Server
from stockyard._store.scripts import Script, load
from stockyard._wire.own_keys import ChannelKeys
from stockyard.errors import ReplyLost, ServerRefused
from stockyard.model.naming import Naming

_PUBLISH = load("broadcast.publish")
_HEARTBEAT = 1.0
"""Seconds of silence after which the server is asked whether it is there; twice that, and it is not."""
_GRACE = 0.05


class ChannelKeyspace:
    """One channel on one server.

    Args:
        server: the server.
        naming: how keys are spelled.
        channel: the channel's name.
    """

    def __init__(self, server: Server, naming: Naming, channel: str) -> None:
        self.server = server
        self.channel = channel
        self.keys: ChannelKeys = ChannelKeys(naming, channel)

    async def run(self, script: Script, *args: str | bytes | int | float) -> Any:
        """Run a script that makes its keys itself, of what they begin with."""
        return await self.server.run(script, (self.keys.base,), self.keys.base, *args)

    @property
    def live_channel(self) -> bytes:
        """The channel of the server that live messages come on."""
        return self.keys.live.encode()


async def publish(keyspace: ChannelKeyspace, texts: Sequence[bytes]) -> list[int]:
    """Send messages in their order; return for each how many connections it was sent to.

    Raises:
        ServerUnavailable: nothing was sent.
        ReplyLost: they may or may not have been sent.
        ServerRefused: the user may not publish there.
    """
    if len(texts) == 1:
        (reply,) = await keyspace.server.ask([("PUBLISH", keyspace.keys.live, texts[0])], needs_primary=True)
        return [accepted(reply)]
    (reply,) = await keyspace.server.run_many(
        [ScriptCall(_PUBLISH, (), (keyspace.keys.live, packed(texts)))], needs_primary=True
    )
    reached: list[int] = accepted(reply)
    return reached


def packed(texts: Sequence[bytes]) -> bytes:
    """Return texts as one argument of a script: an array in msgpack, which there knows no bytes but text."""
    parts = [b"\xdd" + len(texts).to_bytes(4, "big")]
    for text in texts:
        parts += (b"\xdb", len(text).to_bytes(4, "big"), text)
    return b"".join(parts)


class ReceivedMessages:
    """What came in: texts by channel in their order, channels that are listened to from now on, and refusals."""

    __slots__ = ("begun", "refused", "texts")

    def __init__(self) -> None:
        self.texts: dict[bytes, list[bytes]] = {}
        self.begun: list[bytes] = []
        self.refused: list[tuple[bytes, ServerRefused]] = []


class Broadcast:
    """What is published on some channels, by their names on the server, on a connection of its own.

    Args:
        server: the server.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection = server.dedicated(None)
        self._reader = ReplyParser()
        # What each reply will be to, as they come in the order of the calls.
        self._asked: deque[tuple[str, bytes]] = deque()
        self._is_ready = self._is_pinged = False

    async def open(self) -> None:
        """Connect; nothing is listened to yet.

        Raises:
            ServerUnavailable, ServerRefused: nobody answers, or not to us.
        """
        self._is_ready = False
        await self._connection.reopen()
        self._reader = ReplyParser()
        self._asked.clear()
        self._is_ready, self._is_pinged = True, False

    def listen(self, channel: bytes) -> None:
        """Ask for a channel, if connected; ``hear`` returns when it has begun."""
        self._ask("SUBSCRIBE", channel)

    def leave(self, channel: bytes) -> None:
        """Ask for a channel no more."""
        self._ask("UNSUBSCRIBE", channel)

    async def hear(self) -> ReceivedMessages:
        """Return what came in; nothing for a sign of life.

        Raises:
            ReplyLost: the connection broke or fell silent; from here on, messages are missed.
        """
        sent = await self._connection.read_bytes(_HEARTBEAT)
        if not sent and self._is_pinged:
            # Where the loop was busy, time ran out for the answer that lies there.
            sent = await self._connection.read_bytes(_GRACE)
        if sent:
            self._is_pinged = False
            return self._parsed(sent)
        if self._is_pinged:
            self.drop()
            raise ReplyLost(f"the server at {self._server.address} fell silent")
        self._is_pinged = True
        self._ask("PING", b"")
        return ReceivedMessages()

    def drop(self) -> None:
        """Disconnect at once."""
        self._is_ready = False
        self._connection.drop()

    async def close(self) -> None:
        """Disconnect; closing twice is fine."""
        self._is_ready = False
        await self._connection.close()

    def _ask(self, verb: str, channel: bytes) -> None:
        # A connection that broke is noticed by who hears; it asks for every channel anew.
        if self._is_ready and self._connection.is_open:
            self._asked.append((verb, channel))
            self._connection.write([(verb, channel) if channel else (verb,)])

    def _parsed(self, sent: bytes) -> ReceivedMessages:
        received = ReceivedMessages()
        texts = received.texts
        take = self._reader.gets
        try:
            self._reader.feed(sent)
            while (reply := take()) is not False:
                if isinstance(reply, list) and reply[0] == b"message":
                    found = texts.get(reply[1])
                    if found is None:
                        texts[reply[1]] = [reply[2]]
                    else:
                        found.append(reply[2])
                else:
                    self._settle(reply, received)
        except (ParserError, IndexError) as error:
            self.drop()
            raise ReplyLost(f"the server at {self._server.address} sent what is no reply: {error}") from error
        return received

    def _settle(self, reply: object, received: ReceivedMessages) -> None:
        verb, channel = self._asked.popleft()
        if isinstance(reply, ReplyError):
            received.refused.append((channel, ServerRefused(str(reply))))
        elif verb == "SUBSCRIBE" and all(channel != later for _, later in self._asked):
            # Who left and came back since is answered for the last time it came.
            received.begun.append(channel)
