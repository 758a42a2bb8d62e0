"""Keeps messages on the server: appends them, hands them to groups of consumers, and takes acknowledgements."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from stockyard._store.channels.broadcast import ChannelKeyspace, packed
from stockyard._store.net.connection import Command, accepted
from stockyard._store.net.script_call import ScriptCall, is_unknown_script, run_unknown
from stockyard._store.numbers import whole
from stockyard._store.scripts import load

_PUBLISH = load("durable.publish")
_LOOK = load("durable.look")
_TAKE = load("durable.take")
_RENEW = load("durable.renew")
_RELEASE = load("durable.release")
_LEAVE = load("durable.leave")
_REDELIVER = load("durable.redeliver")
_GROUPS = load("durable.groups")
_ANSWER_SECONDS = 3.0
_DEAD_LETTER_FIELDS = {b"group", b"id", b"deliveries", b"reason", b"d"}

BEGINNING = "0-0"
"""The place before every message."""

PAGE = 500
"""Messages that one call reads."""

RETRIED, DEAD_LETTERED = 1, 2
"""What became of a message that was handed back; 0 when it was not the consumer's any more."""


class StoredMessage(NamedTuple):
    """A message as it is kept: its id, its number from 1, its text, and the group it is meant for, if for one."""

    id: str
    number: int
    text: bytes
    group: str | None


class PendingMessage(NamedTuple):
    """A message in a consumer's hands: its id, its text, and how often it was delivered."""

    id: str
    text: bytes
    deliveries: int


class TakeReply(NamedTuple):
    """What a consumer was given.

    Attributes:
        fresh: messages that nobody of the group had before.
        claimed: messages that a consumer had who gives no sign of life any more.
        has_more: there is more to claim.
        missed: how many the group has missed since it was made.
        reported: how many of these were reported to it.
        is_recreated: the group was created again, as the channel was deleted or lost.
        dead_lettered: how many messages became dead letters.
        last: id of the last message that was given to anybody of the group.
    """

    fresh: list[PendingMessage]
    claimed: list[PendingMessage]
    has_more: bool
    missed: int
    reported: int
    is_recreated: bool
    dead_lettered: int
    last: str


class DeadLetterRow(NamedTuple):
    """A dead letter as it is kept."""

    id: str
    group: str
    message_id: str
    deliveries: int
    reason: str
    text: bytes


class GroupInfo(NamedTuple):
    """A group as the server sees it; see ``durable.groups``."""

    name: str
    waiting: int
    pending: int
    oldest_ms: int
    consumers: int
    missed: int


async def publish(
    keyspace: ChannelKeyspace, texts: Sequence[bytes], *, keep_ms: int | None, max_len: int | None
) -> list[str]:
    """Append messages and trim the oldest; return their ids. Errors are those of ``broadcast.publish``."""
    keep, most = ("" if limit is None else limit for limit in (keep_ms, max_len))
    ids = await keyspace.run(_PUBLISH, packed(texts), keep, most)
    return [each.decode() for each in ids]


async def look(keyspace: ChannelKeyspace, after: str | None) -> tuple[str, int | None]:
    """Return the place to go on behind, and the number of its message, or None when some behind may be gone.

    Args:
        keyspace: the channel.
        after: an id; None for the end.
    """
    place, number = await keyspace.run(_LOOK, after or "")
    return place.decode(), None if number < 0 else number


async def read(keyspace: ChannelKeyspace, after: str, count: int = PAGE) -> list[StoredMessage]:
    """Return messages behind an id, the oldest first."""
    return _kept(await keyspace.server.call("XRANGE", keyspace.keys.messages, f"({after}", "+", "COUNT", count))


async def acknowledge(keyspace: ChannelKeyspace, group: str, ids: Sequence[str]) -> None:
    """Let a group be done with messages."""
    await keyspace.server.call("XACK", keyspace.keys.messages, group, *ids)


async def renew(
    keyspace: ChannelKeyspace, group: str, consumer: str, ids: Sequence[str], *, idle_ms: int, strays: bool
) -> set[str]:
    """Keep messages from being claimed; return those that are not the consumer's any more.

    Args:
        keyspace, group, consumer: whose.
        ids: what it has in hand.
        idle_ms: after so long, others claim.
        strays: let others have what it was given and does not know of.
    """
    lost = await keyspace.run(_RENEW, group, consumer, _packed(ids), idle_ms, int(strays))
    return {each.decode() for each in lost}


async def release(
    keyspace: ChannelKeyspace,
    group: str,
    consumer: str,
    message_id: str,
    *,
    attempts: int,
    reason: str,
    idle_ms: int,
) -> int:
    """Hand a message back as if it had been idle for so long; return what became of it."""
    found: int = await keyspace.run(_RELEASE, group, consumer, message_id, attempts, reason, idle_ms)
    return found


async def leave(
    keyspace: ChannelKeyspace, group: str, consumer: str, untouched: Sequence[str], *, idle_ms: int, reported: int
) -> None:
    """Hand back all that a consumer has; what is untouched counts as not delivered."""
    await keyspace.run(_LEAVE, group, consumer, _packed(untouched), idle_ms, reported)


async def read_dead_letters(keyspace: ChannelKeyspace, after: str, count: int) -> list[DeadLetterRow]:
    """Return dead letters behind an id, the oldest first."""
    found = await keyspace.server.call("XRANGE", keyspace.keys.dead, f"({after}", "+", "COUNT", count)
    return [
        DeadLetterRow(
            entry_id.decode(),
            fields[b"group"].decode(errors="replace"),
            fields[b"id"].decode(errors="replace"),
            whole(fields[b"deliveries"]) or 0,
            fields[b"reason"].decode(errors="replace"),
            fields[b"d"],
        )
        for entry_id, fields in _entries(found)
        # Another program may have added anything.
        if fields.keys() >= _DEAD_LETTER_FIELDS
    ]


async def redeliver(keyspace: ChannelKeyspace, ids: Sequence[str]) -> int:
    """Give dead letters to their groups again; return how many there were."""
    return int(await keyspace.run(_REDELIVER, _packed(ids)))


async def discard(keyspace: ChannelKeyspace, ids: Sequence[str]) -> int:
    """Delete dead letters; return how many there were."""
    return int(await keyspace.server.call("XDEL", keyspace.keys.dead, *ids)) if ids else 0


async def read_groups(keyspace: ChannelKeyspace) -> list[GroupInfo]:
    """Return the groups by name."""
    return groups_of(await keyspace.run(_GROUPS))


def groups_of(reply: Sequence[Sequence[Any]]) -> list[GroupInfo]:
    """Read the reply to a look at all groups."""
    return sorted(GroupInfo(name.decode(errors="replace"), *numbers) for name, *numbers in reply)


async def delete_group(keyspace: ChannelKeyspace, group: str) -> bool:
    """Forget a group and what it has not read; return whether there was one."""
    *_, found = await keyspace.server.ask(
        [
            ("HDEL", f"{keyspace.keys.base}state", f"read:{group}", f"missed:{group}", f"reported:{group}"),
            ("XGROUP", "DESTROY", keyspace.keys.messages, group),
        ]
    )
    return bool(found == 1)


class DurableConnection:
    """A connection that waits for messages of one channel.

    Args:
        keyspace: the channel.
    """

    def __init__(self, keyspace: ChannelKeyspace) -> None:
        self._keyspace = keyspace
        self._connection = keyspace.server.dedicated(keyspace.keys.base)

    async def follow(self, after: str, seconds: float) -> list[StoredMessage]:
        """Return the next messages behind an id, or none after so many seconds.

        Raises:
            ServerUnavailable, ReplyLost: the server cannot be read now; the next call connects again.
            ServerRefused: the user may not.
        """
        (reply,) = await self._ask([self._wait_call(after, seconds, PAGE)], seconds)
        return _kept(accepted(reply)[0][1]) if reply else []

    async def take(
        self,
        group: str,
        consumer: str,
        *,
        after: str | None,
        fresh: int,
        claims: int,
        idle_ms: int,
        attempts: int,
        reported: int,
        behind: str | None,
        seconds: float,
    ) -> TakeReply:
        """Give a consumer messages; waits for one behind an id, if one is given, for so many seconds at most.

        Args:
            group, consumer: whose.
            after: where the group begins if there is none; None for the end.
            fresh, claims: so many of either at most.
            idle_ms: how long a message that is claimed has shown no sign of life.
            attempts: who was delivered so often is a dead letter.
            reported: so many of the missed ones the consumer has reported; below 0 for one that has just begun.
            behind: the last id given to anybody of the group, as far as the consumer knows.
            seconds: to wait.
        """
        keys = self._keyspace.keys
        arguments = (keys.base, group, consumer, after or "", fresh, claims, idle_ms, attempts, max(reported, 0))
        call = ScriptCall(_TAKE, (keys.base,), (*arguments, int(reported >= 0)))
        commands = [self._keyspace.server.script_command(call)]
        wait = [] if behind is None else [self._wait_call(behind, seconds, 1)]
        *waited, reply = await self._ask([*wait, *commands], seconds)
        replies = [reply]
        if is_unknown_script(reply):
            await run_unknown(partial(self._ask, seconds=0), [call], commands, replies)
        for waited_reply in waited:
            accepted(waited_reply)
        fresh_ones, claimed, has_more, missed, reported, is_recreated, dead_lettered, last = accepted(replies[0])
        return TakeReply(
            _held(fresh_ones),
            _held(claimed),
            bool(has_more),
            missed,
            reported,
            bool(is_recreated),
            dead_lettered,
            last.decode(),
        )

    def drop(self) -> None:
        """Break off a call at once."""
        self._connection.drop()

    async def close(self) -> None:
        """Disconnect; closing twice is fine."""
        await self._connection.close()

    def _wait_call(self, after: str, seconds: float, count: int) -> tuple[str | int, ...]:
        wait = max(int(seconds * 1000), 1)
        return ("XREAD", "COUNT", count, "BLOCK", wait, "STREAMS", self._keyspace.keys.messages, after)

    async def _ask(self, commands: Sequence[Command], seconds: float) -> list[Any]:
        answer_timeout = max(self._connection.call_timeout, _ANSWER_SECONDS)
        return await self._connection.call(*commands, timeout=seconds + answer_timeout)


def _packed(ids: Sequence[str]) -> bytes:
    return packed([each.encode() for each in ids])


def _entries(found: Sequence[tuple[bytes, list[bytes]]]) -> list[tuple[bytes, dict[bytes, bytes]]]:
    return [(entry_id, dict(zip(flat[::2], flat[1::2], strict=True))) for entry_id, flat in found]


def _kept(found: Sequence[tuple[bytes, list[bytes]]]) -> list[StoredMessage]:
    return [
        StoredMessage(
            entry_id.decode(),
            whole(fields.get(b"n")) or 0,
            fields.get(b"d", b"null"),
            fields[b"g"].decode(errors="replace") if b"g" in fields else None,
        )
        for entry_id, fields in _entries(found)
    ]


def _held(flat: Sequence[Any]) -> list[PendingMessage]:
    return [
        PendingMessage(*each) for each in zip((i.decode() for i in flat[::3]), flat[1::3], flat[2::3], strict=True)
    ]
