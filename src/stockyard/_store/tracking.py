"""Hears from the server which keys were written, on a connection of its own."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from hiredis import PushNotification, Reader

from stockyard._store.caching import CacheLink
from stockyard._store.line import Line
from stockyard._store.server import open_patiently
from stockyard.errors import ReplyLost, ServerRefused

_PULSE = 0.5
"""Seconds of silence after which the server is asked whether it is there; twice that, and it is not."""


class Heard:
    """What the server told: keys that were written, or that all were lost.

    Attributes:
        entries: cache and key of entries.
        tags: cache and tag of tags.
        everything: whether nothing that was read before holds any more.
    """

    __slots__ = ("entries", "everything", "tags")

    def __init__(self) -> None:
        self.entries: list[tuple[str, str]] = []
        self.tags: list[tuple[str, str]] = []
        self.everything = False


class Tracking:
    """The server's word on every write to the entries and tags of some caches, whoever writes.

    Args:
        link: the caches' server.
    """

    def __init__(self, link: CacheLink) -> None:
        self._link = link
        self._line = Line(link.server.address)
        self._reader = Reader()
        self._is_asked = False

    async def open(self, caches: Iterable[str]) -> None:
        """Connect, and return when every later write to these caches will be heard of.

        Raises:
            ServerUnavailable, ReplyLost: nobody answers.
            ServerRefused: the server does not track, or not for this user.
        """
        timeout = self._link.server.call_timeout
        await open_patiently(self._line, time.monotonic() + timeout)
        (greeting,) = await self._line.ask([("HELLO", 3)], timeout)
        if isinstance(greeting, ServerRefused):
            raise greeting
        # From here on the server speaks unasked, so replies are read here.
        self._reader = Reader()
        keys = self._link.keys
        prefixes = [start for cache in caches for start in (keys.entries(cache), keys.tags(cache))]
        options = [word for prefix in prefixes for word in ("PREFIX", prefix)]
        self._line.write([("CLIENT", "TRACKING", "ON", "BCAST", *options)])
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            for message in self._parsed(await self._line.read_bytes(left)):
                if not isinstance(message, PushNotification):
                    if message != b"OK":
                        raise ServerRefused(f"the server does not track keys: {message}")
                    self._is_asked = False
                    return
        raise ReplyLost(f"the server at {self._link.server.address} did not answer in time")

    async def hear(self) -> Heard:
        """Return what the server told next; nothing for a sign of life.

        Raises:
            ReplyLost: the connection broke or fell silent; what was heard before does not hold any more.
        """
        sent = await self._line.read_bytes(_PULSE)
        heard = Heard()
        if not sent:
            if self._is_asked:
                self._line.drop()
                raise ReplyLost(f"the server at {self._link.server.address} fell silent")
            self._is_asked = True
            self._line.write([("PING",)])
            return heard
        self._is_asked = False
        for message in self._parsed(sent):
            if isinstance(message, PushNotification) and message[0] == b"invalidate":
                self._note(heard, message[1])
        return heard

    async def close(self) -> None:
        """Disconnect; closing twice is fine."""
        await self._line.close()

    def _parsed(self, sent: bytes) -> Iterable[Any]:
        self._reader.feed(sent)
        while (message := self._reader.gets()) is not False:
            yield message

    def _note(self, heard: Heard, keys: list[bytes] | None) -> None:
        if keys is None:
            heard.everything = True
            return
        start = len(self._link.keys.base)
        for key in keys:
            cache, _, rest = key.decode(errors="replace")[start:].partition("::")
            (heard.entries if rest.startswith("e:") else heard.tags).append((cache, rest[2:]))
