"""Hears from the server which keys were written, on a connection of its own."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from stockyard._store.caches.caching import CacheKeyspace
from stockyard._store.net.connection import accepted
from stockyard._store.net.parser import PushNotification, ReplyParser
from stockyard._wire.own_keys import is_cut
from stockyard.errors import ReplyLost, ServerRefused

_HEARTBEAT = 0.5
"""Seconds of silence after which the server is asked whether it is there; twice that, and it is not."""


class Invalidations:
    """What the server sent: keys of entries and tags that were written, or that everything was lost."""

    __slots__ = ("entries", "everything", "tags")

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.tags: list[str] = []
        self.everything = False


class Tracking:
    """Receives the invalidations of one cache's entries and tags, by any writer.

    Args:
        keyspace: the caches' server.
        cache: the cache.
    """

    def __init__(self, keyspace: CacheKeyspace, cache: str) -> None:
        self._keyspace = keyspace
        self._entries = keyspace.keys.entries(cache)
        self._tags = keyspace.keys.tags(cache)
        self._connection = keyspace.server.dedicated(keyspace.keys.base)
        self._reader = ReplyParser()
        self._is_asked = False

    async def open(self) -> None:
        """Connect, and return when every later write will be heard of.

        Raises:
            ServerUnavailable, ReplyLost: nobody answers.
            ServerRefused: the server does not track, or not for this user.
        """
        timeout = self._keyspace.server.call_timeout
        await self._connection.reopen()
        (greeting,) = await self._connection.ask([("HELLO", 3)], timeout)
        accepted(greeting)
        # From here on the server speaks unasked, so replies are read here.
        self._reader = ReplyParser()
        prefixes = ("PREFIX", self._entries, "PREFIX", self._tags)
        self._connection.write([("CLIENT", "TRACKING", "ON", "BCAST", *prefixes)])
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            for message in self._parsed(await self._connection.read_bytes(left)):
                if not isinstance(message, PushNotification):
                    if message != b"OK":
                        raise ServerRefused(f"the server does not track keys: {message}")
                    self._is_asked = False
                    return
        raise ReplyLost(f"the server at {self._keyspace.server.address} did not answer in time")

    async def hear(self) -> Invalidations:
        """Return what the server sent next; nothing for a sign of life.

        Raises:
            ReplyLost: the connection broke or fell silent; what was heard before does not hold any more.
        """
        invalidations = Invalidations()
        # The first word may have come in one piece with the answer to ``open``.
        messages = list(self._parsed(b""))
        if not messages:
            sent = await self._connection.read_bytes(_HEARTBEAT)
            if not sent:
                if self._is_asked:
                    self._connection.drop()
                    raise ReplyLost(f"the server at {self._keyspace.server.address} fell silent")
                self._is_asked = True
                self._connection.write([("PING",)])
                return invalidations
            messages = list(self._parsed(sent))
        self._is_asked = False
        for message in messages:
            if isinstance(message, PushNotification) and message[0] == b"invalidate":
                self._note(invalidations, message[1])
        return invalidations

    async def close(self) -> None:
        """Disconnect; closing twice is fine."""
        await self._connection.close()

    def _parsed(self, sent: bytes) -> Iterable[Any]:
        self._reader.feed(sent)
        while (message := self._reader.gets()) is not False:
            yield message

    def _note(self, invalidations: Invalidations, keys: list[bytes] | None) -> None:
        if keys is None:
            invalidations.everything = True
            return
        for key in keys:
            text = key.decode(errors="replace")
            if text.startswith(self._entries):
                name = text.removeprefix(self._entries)
                invalidations.entries.append(name)
                # Which key was cut to this, only its readers know; their copies fall as with a tag.
                if is_cut(name):
                    invalidations.tags.append(name)
            else:
                invalidations.tags.append(text.removeprefix(self._tags))
