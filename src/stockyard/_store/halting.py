"""Halts: the record of all that hold now, and the copy of it that each queue has."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.server import Server
from stockyard._store.scripts import load
from stockyard._store.text_fields import text_fields
from stockyard._wire.own_keys import halts_base
from stockyard.errors import ServerRefused
from stockyard.model.halt import Halt, HaltAction, HaltChange
from stockyard.model.naming import Naming

_CHANGE = load("halting.change")
_APPLY = load("halting.apply")
_RELEASE = load("halting.release")

_CHUNK = 100
_VERSION = b"version"
_ALL, _KEY = "all", "key:"
_pack = msgspec.msgpack.Encoder().encode
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Halt).decode


class HaltsKeyspace:
    """The record of all halts under a prefix.

    Args:
        server: the server.
        naming: how keys are spelled.
    """

    def __init__(self, server: Server, naming: Naming) -> None:
        self.server = server
        self.base: str = halts_base(naming)
        self.current: str = f"{self.base}current"
        self.audit: str = f"{self.base}audit"
        self.channel: str = f"{self.base}changed"


class CurrentHalts(NamedTuple):
    """All halts that hold now, and the number of their last change, which grows."""

    version: int = 0
    halts: tuple[Halt, ...] = ()

    def of(self, queue: str) -> tuple[Halt, ...]:
        """Return those of a queue."""
        return tuple(halt for halt in self.halts if halt.applies_to(queue))


async def change(keyspace: HaltsKeyspace, halt: Halt, action: HaltAction) -> tuple[bool, CurrentHalts]:
    """Write a halt, or take it away; say whether that changed anything, and return what holds now.

    Args:
        keyspace: the record.
        halt: what to halt or resume, by whom and why.
        action: ``"halt"`` or ``"resume"``.
    """
    field = _encode([halt.queues, halt.key]).decode()
    entry = {"action": action, "queues": halt.queues, "key": halt.key, "reason": halt.reason, "by": halt.by}
    pairs = [text for name, value in entry.items() if value is not None for text in (name, value)]
    text = _encode(halt).decode() if action == "halt" else ""
    changed, current = await keyspace.server.run(
        _CHANGE, (keyspace.base,), keyspace.base, field, text, halt.since, _pack(pairs), keyspace.channel
    )
    return bool(changed), _current_of(current)


async def read(keyspace: HaltsKeyspace) -> CurrentHalts:
    """Return all halts that hold now."""
    return _current_of(await keyspace.server.call("HGETALL", keyspace.current))


async def apply(keyspace: QueueKeyspace, current: CurrentHalts) -> None:
    """Halt a queue, or resume it, by what holds now, unless a later change is known there."""
    entries: dict[str, str] = {}
    for halt in current.of(keyspace.queue):
        entries[_ALL if halt.key is None else f"{_KEY}{halt.key}"] = _encode(halt).decode()
    arguments = (current.version, _pack(entries), _CHUNK)
    left, freed = await keyspace.run(_APPLY, *arguments)
    while left:
        left, _ = await keyspace.run(_APPLY, *arguments)
    if freed:
        while await keyspace.run(_RELEASE, keyspace.base, _CHUNK):
            continue


async def apply_to_all(keyspaces: Iterable[QueueKeyspace], current: CurrentHalts) -> None:
    """Do so at several queues; one that does not answer keeps no other from it.

    Raises:
        ServerError: not all servers answered.
    """
    replies = await asyncio.gather(*(apply(each, current) for each in keyspaces), return_exceptions=True)
    for reply in replies:
        if isinstance(reply, BaseException):
            raise reply


async def note_held(keyspace: QueueKeyspace, job_id: str) -> None:
    """Note a job that is delayed for a halt of its key, so that it runs when that is over."""
    await keyspace.server.call("ZADD", keyspace.keys["held"], keyspace.clock(), job_id)


async def read_breakers(keyspaces: Sequence[QueueKeyspace]) -> list[Halt]:
    """Return the halts of open circuit breakers."""
    texts = await asyncio.gather(*(each.server.call("HGET", each.keys["breaker"], "open") for each in keyspaces))
    return [_decode(text) for text in texts if text is not None]


async def read_audit(keyspace: HaltsKeyspace, queues: Sequence[QueueKeyspace], count: int) -> list[HaltChange]:
    """Return who halted and resumed what, with what circuit breakers did, the latest first."""
    streams = [(keyspace.server, keyspace.audit), *((each.server, each.keys["halts_audit"]) for each in queues)]
    replies = await asyncio.gather(
        *(server.call("XREVRANGE", stream, "+", "-", "COUNT", count) for server, stream in streams)
    )
    entries = [_entry(entry.decode(), fields) for reply in replies for entry, fields in reply]
    return sorted(entries, key=lambda each: each.at, reverse=True)[:count]


def halt_of(text: str) -> Halt | None:
    """Read a halt as a queue has it; None for an empty text. One that cannot be read is still a halt."""
    if not text:
        return None
    try:
        return _decode(text)
    except msgspec.MsgspecError:
        return Halt(queues="?", reason=text[:200], by="?", since=0)


def _entry(entry_id: str, fields: Sequence[bytes]) -> HaltChange:
    return msgspec.convert({"id": entry_id, **text_fields(fields)}, HaltChange)


def _current_of(fields: Sequence[bytes]) -> CurrentHalts:
    stored = dict(zip(fields[::2], fields[1::2], strict=True))
    try:
        version = int(stored.pop(_VERSION, 0))
        halts = [_decode(text) for text in stored.values()]
    except ValueError as error:
        raise ServerRefused(
            f"the record of halts is none: another program has written over it: {error}"
        ) from error
    return CurrentHalts(version, tuple(sorted(halts, key=lambda each: each.since)))
