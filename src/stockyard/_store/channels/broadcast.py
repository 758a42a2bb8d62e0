"""Publishes to those who listen now, and listens to many channels of one server on one connection."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from stockyard._store.net.connection import accepted
from stockyard._store.net.dedicated import DedicatedConnection
from stockyard._store.net.parser import ParserError, ReplyError, ReplyParser
from stockyard._store.net.refusals import refusal_of
from stockyard._store.net.script_call import ScriptCall
from stockyard._store.net.server import Server
from stockyard._store.scripts import Script, load
from stockyard._wire.own_keys import ChannelKeys
from stockyard.errors import ReplyLost, ServerError, ServerRefused, ServerTooOld, ServerUnavailable
from stockyard.model.naming import Naming

_PUBLISH = load("broadcast.publish")
_PUBLISH_IN_SLOT = load("broadcast.publish_in_slot")
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
    def is_sharded(self) -> bool:
        """Whether live messages go through the node of the channel's slot alone, and not through all nodes."""
        return self.server.address.kind == "cluster"

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
        ServerTooOld: the nodes of the cluster are older than Redis 7.
    """
    if keyspace.is_sharded:
        return await _publish_in_slot(keyspace, texts)
    if len(texts) == 1:
        (reply,) = await keyspace.server.ask([("PUBLISH", keyspace.keys.live, texts[0])], needs_primary=True)
        return [accepted(reply)]
    (reply,) = await keyspace.server.run_many(
        [ScriptCall(_PUBLISH, (), (keyspace.keys.live, packed(texts)))], needs_primary=True
    )
    reached: list[int] = accepted(reply)
    return reached


async def _publish_in_slot(keyspace: ChannelKeyspace, texts: Sequence[bytes]) -> list[int]:
    reached = await _publish_at_once(keyspace, texts) if len(texts) > 1 else []
    rest = texts[len(reached) :]
    if not rest:
        return reached
    # Each for itself: the nodes say where the slot is, or what else is wrong.
    replies = await keyspace.server.ask([("SPUBLISH", keyspace.keys.live, text) for text in rest])
    refusals = [reply for reply in replies if isinstance(reply, ServerError)]
    published = len(texts) - len(refusals)
    if refusals and published:
        raise ReplyLost(
            f"{published} of {len(texts)} messages of channel {keyspace.channel!r} were published before the "
            f"others were refused: {refusals[0]}"
        )
    if refusals:
        raise _explained(refusals[0])
    return [*reached, *replies]


async def _publish_at_once(keyspace: ChannelKeyspace, texts: Sequence[bytes]) -> list[int]:
    """Send messages to the node that serves the slot, as far as is known; return what became of the first ones."""
    live = keyspace.keys.live
    # Without a key: a script that has one does not run in a slot that is being moved, which still has its readers.
    call = ScriptCall(_PUBLISH_IN_SLOT, (), (live, packed(texts)))
    node = await keyspace.server.at(live)
    try:
        (reply,) = await node.run_many([call], stays=True)
    except ServerUnavailable:
        return []
    return [] if isinstance(reply, ServerError) else list(reply)


def _explained(refusal: ServerError) -> ServerError:
    """Return what to raise for a refusal of a channel of a slot, which servers before Redis 7 do not know."""
    if isinstance(refusal, ServerRefused) and "unknown command" in str(refusal).lower():
        return ServerTooOld("live channels on a cluster need Redis 7 or later, or any Valkey")
    return refusal


def packed(texts: Sequence[bytes]) -> bytes:
    """Return texts as one argument of a script: an array in msgpack, which there knows no bytes but text."""
    parts = [b"\xdd" + len(texts).to_bytes(4, "big")]
    for text in texts:
        parts += (b"\xdb", len(text).to_bytes(4, "big"), text)
    return b"".join(parts)


class ReceivedMessages:
    """What came in.

    Attributes:
        texts: by channel, in their order.
        begun: channels that are listened to from now on.
        refused: channels that this user, or anybody, may not listen to.
        lost: channels that are not listened to any more, and why; they are asked for again where they are now.
    """

    __slots__ = ("begun", "lost", "refused", "texts")

    def __init__(self) -> None:
        self.texts: dict[bytes, list[bytes]] = {}
        self.begun: list[bytes] = []
        self.refused: list[tuple[bytes, ServerError]] = []
        self.lost: list[tuple[bytes, ServerError]] = []

    def __bool__(self) -> bool:
        return bool(self.texts or self.begun or self.refused or self.lost)


class Broadcast:
    """What is published on some channels, by their names on the server, on a connection of its own.

    Args:
        connection: leads to the server; not open yet.
        is_sharded: the server is a node of a cluster, and the channels are those of its slots.
    """

    def __init__(self, connection: DedicatedConnection, *, is_sharded: bool = False) -> None:
        self._connection = connection
        self._is_sharded = is_sharded
        self._subscribe, self._unsubscribe = (
            ("SSUBSCRIBE", "SUNSUBSCRIBE") if is_sharded else ("SUBSCRIBE", "UNSUBSCRIBE")
        )
        self._message = b"smessage" if is_sharded else b"message"
        self._reader = ReplyParser()
        # What each reply will be to, as they come in the order of the calls.
        self._asked: deque[tuple[str, bytes]] = deque()
        self._is_ready = self._is_pinged = False

    async def open(self, seconds: float | None = None) -> None:
        """Connect; nothing is listened to yet.

        Args:
            seconds: of one attempt. Defaults to attempts until the call timeout.

        Raises:
            ServerUnavailable, ServerRefused: nobody answers, or not to us.
        """
        self._is_ready = False
        if seconds is None:
            await self._connection.reopen()
        else:
            await self._connection.open(seconds)
        self._reader = ReplyParser()
        self._asked.clear()
        self._is_ready, self._is_pinged = True, False

    async def check_role(self, seconds: float) -> None:
        """See that the server is a primary, before anything is listened to.

        A replica would take ``SSUBSCRIBE`` too, and send what reaches it of a primary it may be cut off from.

        Raises:
            ServerUnavailable: it is a replica, or the connection broke.
        """
        if not await self._connection.leads_to_primary(seconds):
            raise ServerUnavailable(f"the server at {self._connection.address} is a replica now")

    def listen(self, channel: bytes) -> None:
        """Ask for a channel, if connected; ``hear`` returns when it has begun."""
        self._ask(self._subscribe, channel)

    def leave(self, channel: bytes) -> None:
        """Ask for a channel no more."""
        self._ask(self._unsubscribe, channel)

    def is_awaited(self, channel: bytes) -> bool:
        """Say whether what was asked last about a channel is not answered yet."""
        return any(channel == asked for _, asked in self._asked)

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
            raise ReplyLost(f"the server at {self._connection.address} fell silent")
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
        texts, message = received.texts, self._message
        take = self._reader.gets
        try:
            self._reader.feed(sent)
            while (reply := take()) is not False:
                if isinstance(reply, list) and reply[0] == message:
                    found = texts.get(reply[1])
                    if found is None:
                        texts[reply[1]] = [reply[2]]
                    else:
                        found.append(reply[2])
                else:
                    self._settle(reply, received)
        except (ParserError, IndexError) as error:
            self.drop()
            raise ReplyLost(f"the server at {self._connection.address} sent what is no reply: {error}") from error
        return received

    def _settle(self, reply: object, received: ReceivedMessages) -> None:
        if self._is_sharded and isinstance(reply, list) and self._has_ended(reply):
            received.lost.append((reply[1], ServerUnavailable("its slot of the cluster is at another node now")))
            return
        verb, channel = self._asked.popleft()
        if isinstance(reply, ReplyError):
            place = self._connection.address
            received.refused.append((channel, _explained(refusal_of(str(reply), place, place.host))))
        elif verb == self._subscribe and not self.is_awaited(channel):
            # Who left and came back since is answered for the last time it came.
            received.begun.append(channel)

    def _has_ended(self, reply: list[Any]) -> bool:
        """Say whether the server ended a channel by itself, and does not answer who left it."""
        is_answer = bool(self._asked) and self._asked[0] == (self._unsubscribe, reply[1])
        return reply[0] == b"sunsubscribe" and not is_answer
