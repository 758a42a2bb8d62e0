"""Reads a queue's event stream in order, and notices what is gone before it could be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.connection import Command, accepted
from stockyard._wire.client_name import reader_client_name
from stockyard.errors import ServerError

_SILENCE = 3.0
_BATCH = 500

NAME_FIELD = "event"
"""The field with an event's name."""

BEGINNING = "0-0"
"""The position before every entry."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry: its stream id, the event's name, its fields."""

    id: str
    name: str
    fields: dict[str, str]

    @property
    def job_id(self) -> str:
        """Id of the job that it is about; empty for none."""
        return self.fields.get("jobId", "")

    @property
    def result(self) -> bytes:
        """What the job returned, as JSON text."""
        return self.fields.get("returnvalue", "null").encode()

    @property
    def failed_reason(self) -> str:
        """Why the job failed."""
        return self.fields.get("failedReason", "")


class StreamGap(NamedTuple):
    """Entries that are gone: those behind ``after``, up to ``first``, the first there is, or None without one."""

    after: str
    first: str | None


class View(NamedTuple):
    """A stream as one call saw it.

    Attributes:
        entries: the next behind the position, oldest first.
        added: entries ever added, or None when the server does not count them.
        length: entries there are.
        first: id of the first there is, or None.
        last: the last id ever given.
        exists: whether there is a stream at all.
    """

    entries: Sequence[Entry] = ()
    added: int | None = 0
    length: int = 0
    first: str | None = None
    last: str = BEGINNING
    exists: bool = True


class Position(NamedTuple):
    """How far a stream was read: the last id, and which entry that was, counted from 1, if that is known."""

    last: str
    number: int | None = None


def advance(position: Position, view: View) -> tuple[Position, StreamGap | None]:
    """Return the position behind a view's entries, and the gap before them if there is one.

    The stream counts what was ever added, so that the number of its first entry is known: it shows a gap
    exactly, once the reader's own number is known. Before that, and with servers that do not count, a stream
    that begins behind the position counts as one with a gap, though it may begin right behind it.
    """
    last, number = position
    if not view.exists:
        # A new stream may begin with any id, if the server's clock was set back.
        is_new = last == BEGINNING and not number
        return Position(BEGINNING, 0), None if is_new else StreamGap(last, None)
    if _order(view.last) < _order(last):
        return Position(BEGINNING, _gone(view)), StreamGap(last, view.first)
    if view.first is not None and _order(view.first) <= _order(last):
        return _behind(position, view), None
    gone = _gone(view)
    is_exact = number is not None and gone is not None
    is_whole = gone == number if is_exact else last in (BEGINNING, view.last)
    return _behind(Position(last, gone), view), None if is_whole else StreamGap(last, view.first)


def _behind(position: Position, view: View) -> Position:
    last, number = position
    if view.entries:
        last = view.entries[-1].id
        number = None if number is None else number + len(view.entries)
    elif view.length == 0:
        last = view.last
    if last == view.last:
        number = view.added
    return Position(last, number)


def is_later(entry_id: str, than: str) -> bool:
    """Say whether an entry was added after another."""
    return _order(entry_id) > _order(than)


def _gone(view: View) -> int | None:
    return None if view.added is None else view.added - view.length


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence or 0)


class EventStream:
    """Reads events in order from a position, on a connection of its own that blocks.

    Args:
        keyspace: the queue.
        after: id of the last entry that was read; None begins with what comes after ``start``.
    """

    def __init__(self, keyspace: QueueKeyspace, after: str | None = None) -> None:
        self._keyspace = keyspace
        self._after = after
        name = reader_client_name(keyspace.keys.naming, keyspace.keys.queue)
        # Texts are made in C while replies are parsed: half of what an event costs otherwise.
        self._connection = keyspace.server.dedicated(keyspace.base, client_name=name, reads_text=True)
        self._position = Position(after or BEGINNING)

    async def start(self) -> None:
        """Connect, and fix the position, before the first ``read``; with none given, events from now on are read.

        Raises:
            ServerUnavailable, ReplyLost: the server cannot be read now.
            ServerRefused: the key is no stream, or the user may not read it.
        """
        try:
            (facts,) = await self._connection.call(self._facts())
            view = _view([], facts)
        except ServerError:
            await self.close()
            raise
        last = self._after or view.last
        self._position = Position(last, view.added if _order(last) == _order(view.last) else None)

    async def read(self, seconds: float) -> tuple[Sequence[Entry], StreamGap | None]:
        """Return the next events, or none after so many seconds, and what is missing before them, if anything.

        A lost connection is rebuilt by the next call, which goes on at the same position.

        Raises:
            ServerUnavailable, ReplyLost: the server cannot be read now.
            ServerRefused: the key is no stream, or the user may not read it.
        """
        last, number = self._position
        entries = await self._wait(last, seconds)
        if number is not None and len(entries) > 1 and entries[0].id == last:
            # A stream is cut from its beginning: where the entry read last still is, nothing is missing behind it.
            del entries[0]
            self._position = Position(entries[-1].id, number + len(entries))
            return entries, None
        view = await self._look(last)
        self._position, gap = advance(self._position, view)
        if gap is not None and self._position.last == BEGINNING:
            # Nothing of the new stream was read yet, as its ids may come before the old position.
            return (), gap
        return view.entries, gap

    async def read_back(self, count: int, before: str | None = None) -> list[Entry]:
        """Return the last entries before an id, or up to the position, oldest first."""
        end = self._position.last if before is None else f"({before}"
        (found,) = await self._connection.call(
            ("XREVRANGE", self._keyspace.keys["events"], end, "-", "COUNT", count)
        )
        return [_entry(each) for each in reversed(accepted(found))]

    async def _wait(self, last: str, seconds: float) -> list[Entry]:
        """Wait for an entry behind the last one, and return them all, the last one in front if it is there."""
        key = self._keyspace.keys["events"]
        # 0 would be for ever.
        wait = ("XREAD", "COUNT", 1, "BLOCK", max(int(seconds * 1000), 1), "STREAMS", key, last)
        # Not a script: for the server, taking entries through Lua costs five times as much as sending them.
        there = ("XRANGE", key, last, "+", "COUNT", _BATCH + 1)
        _, found = map(accepted, await self._connection.call(wait, there, timeout=seconds + _SILENCE))
        return [_entry(each) for each in found]

    async def _look(self, last: str) -> View:
        """Return the stream as it is at one moment."""
        entries = ("XRANGE", self._keyspace.keys["events"], f"({last}", "+", "COUNT", _BATCH)
        *_, found = map(accepted, await self._connection.call(("MULTI",), entries, self._facts(), ("EXEC",)))
        return _view(*found)

    def _facts(self) -> Command:
        return ("XINFO", "STREAM", self._keyspace.keys["events"])

    def drop(self) -> None:
        """Break off a read at once."""
        self._connection.drop()

    async def close(self) -> None:
        """Disconnect; closing twice is fine."""
        await self._connection.close()


def _view(entries: Any, facts: Any) -> View:
    for each in (entries, facts):
        if isinstance(each, Exception):
            if "no such key" in str(each):
                return View(exists=False)
            raise each
    known = dict(zip(facts[::2], facts[1::2], strict=True))
    first = known["first-entry"]
    return View(
        [_entry(each) for each in entries],
        known.get("entries-added"),
        known["length"],
        None if first is None else first[0],
        known["last-generated-id"],
    )


def _entry(entry: tuple[str, list[str]]) -> Entry:
    entry_id, listed = entry
    # Nearly all are of one of these shapes, and a dict that is written out costs a quarter of one made of pairs.
    match listed:
        case ["event", name, "jobId", job_id, key, value]:
            return Entry(entry_id, name, {"jobId": job_id, key: value})
        case ["event", name, "jobId", job_id, key, value, other, text]:
            return Entry(entry_id, name, {"jobId": job_id, key: value, other: text})
    texts = iter(listed)
    fields = dict(zip(texts, texts, strict=False))
    return Entry(entry_id, fields.pop(NAME_FIELD, ""), fields)
