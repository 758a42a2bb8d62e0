"""All channels under a prefix, as the server knows them: those that keep messages or are listened to."""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from stockyard._store.channels.broadcast import ChannelKeyspace
from stockyard._store.channels.durable import GroupInfo, groups_of
from stockyard._store.net.connection import accepted
from stockyard._store.net.script_call import ScriptCall
from stockyard._store.net.server import Server
from stockyard._store.scripts import load
from stockyard._wire.own_keys import ChannelKeys, channels_index
from stockyard.errors import ServerError
from stockyard.model.naming import Naming

_FACTS = load("durable.facts")
_GROUPS = load("durable.groups")
_log = logging.getLogger(__name__)

_AT_ONCE = 50
"""Channels that one round trip looks at."""

NOTED_SECONDS = 60.0
"""A channel is noted again after so long: the server may have lost what it held."""


class StreamFacts(NamedTuple):
    """A durable channel on the server.

    Attributes:
        name: of the channel.
        length: how many messages it keeps.
        first_ms, last_ms: when the first and the last of these came, since the epoch; None without one.
        dead: how many dead letters it has.
        groups: its groups of consumers, by name.
    """

    name: str
    length: int
    first_ms: int | None
    last_ms: int | None
    dead: int
    groups: Sequence[GroupInfo]


class ChannelNote:
    """Notes on the server that a durable channel is used, for those who list all of them.

    Args:
        keyspace: the channel.
        naming: how keys are spelled.
    """

    def __init__(self, keyspace: ChannelKeyspace, naming: Naming) -> None:
        self._keyspace = keyspace
        self._index = channels_index(naming)
        self._due = 0.0

    async def write(self) -> None:
        """Note it, unless that was done of late; a failure is no concern of who publishes."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + NOTED_SECONDS
        try:
            await self._keyspace.server.call("HSET", self._index, self._keyspace.channel, "1")
        except ServerError as error:
            _log.debug("channel %s is not in the list of channels: %s", self._keyspace.channel, error)


async def read_listeners(server: Server, naming: Naming) -> dict[str, int]:
    """Return how many connections listen to each live channel, by name.

    Raises:
        ServerRefused: the server's user may not ask.
        ServerUnavailable: nobody answered.
    """
    before, after = naming.part("channel", "*").split("*", 1)
    pattern = re.sub(r"([\\*?\[\]^-])", r"\\\1", before) + "*" + after
    shard = "SHARD" if server.address.kind == "cluster" else ""
    numbers = Counter[str]()
    for node in await server.primaries():
        found = await node.call("PUBSUB", f"{shard}CHANNELS", pattern)
        if found:
            flat = await node.call("PUBSUB", f"{shard}NUMSUB", *found)
            for spelled, number in zip(flat[::2], flat[1::2], strict=True):
                text = spelled.decode(errors="replace")
                numbers[text[len(before) : len(text) - len(after)]] += number
    return dict(numbers)


async def read_streams(server: Server, naming: Naming, known: Sequence[str]) -> list[StreamFacts]:
    """Return the durable channels that are there: those that programs noted, and those of these names.

    Raises:
        ServerRefused: the server's user may not read them.
        ServerUnavailable: nobody answered.
    """
    noted = await server.call("HGETALL", channels_index(naming))
    names = sorted({*known, *(name.decode(errors="replace") for name in noted[::2])})
    found: list[StreamFacts] = []
    for at in range(0, len(names), _AT_ONCE):
        found += await _look_at(server, naming, names[at : at + _AT_ONCE])
    return found


async def _look_at(server: Server, naming: Naming, names: Sequence[str]) -> list[StreamFacts]:
    """Return those of some channels that are there, in one round trip."""
    bases = [ChannelKeys(naming, name).base for name in names]
    calls = [ScriptCall(script, (base,), (base,)) for base in bases for script in (_FACTS, _GROUPS)]
    replies = list(map(accepted, await server.run_many(calls)))
    found = []
    for name, (length, first, last, dead), listed in zip(names, replies[::2], replies[1::2], strict=True):
        groups = groups_of(listed)
        if length or dead or groups:
            found.append(StreamFacts(name, length, _moment(first), _moment(last), dead, groups))
    return found


def _moment(message_id: bytes) -> int | None:
    return int(message_id.partition(b"-")[0]) if message_id else None
