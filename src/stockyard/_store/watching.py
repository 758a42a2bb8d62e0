"""What is known of alerts, shared by all processes: who watches, incidents, silences, history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from stockyard._store.net.connection import Command
from stockyard._store.net.server import Server
from stockyard._store.scripts import load
from stockyard._wire.keys import alerts_base

_LEAD = load("watching.lead")
_RECORD = load("watching.record")
_KEPT = 1_000
_json = msgspec.json.Encoder().encode


class Known(NamedTuple):
    """What is known of alerts: incidents and silences by name, and the keys that are no hash."""

    incidents: dict[str, bytes]
    silences: dict[str, bytes]
    broken: tuple[str, ...] = ()


class AlertStore:
    """The alerts of one topology on one server; what it holds is JSON text that it does not read.

    Args:
        server: the server.
        prefix: first part of every key.
        topology: its name; one process watches these queues and no others.
    """

    def __init__(self, server: Server, prefix: str, topology: str) -> None:
        self._server = server
        self._base = alerts_base(prefix, topology)

    async def learn_time(self) -> None:
        """Measure how far this machine's clock is from the server's, unless that is known."""
        if not self._server.clock.is_known:
            await self._server.learn_time()

    async def lead(self, token: str, ttl_ms: int) -> Known | None:
        """Become or stay the one who watches; return what is known, None if another process watches."""
        reply = await self._server.run(_LEAD, (), self._base, token, ttl_ms)
        if reply is None:
            return None
        incidents, silences, broken = reply
        keys = tuple(f"{self._base}{each.decode()}" for each in broken)
        return Known(texts_by_name(incidents), texts_by_name(silences), keys)

    async def record(self, token: str, incidents: Mapping[str, bytes], told: Sequence[bytes]) -> bool:
        """Replace the incidents and append to the history; False when another watches by now."""
        current = _json([(name, text.decode()) for name, text in incidents.items()])
        entries = _json([text.decode() for text in told])
        return bool(await self._server.run(_RECORD, (), self._base, token, current, entries, _KEPT))

    async def resign(self, token: str) -> None:
        """Let another watch at once."""
        if await self._server.call("GET", f"{self._base}leader") == token.encode():
            await self._server.call("DEL", f"{self._base}leader")

    async def incidents(self) -> dict[str, bytes]:
        """Return the incidents by name.

        Raises:
            ServerRefused: the key is not a hash, or the user may not read it.
        """
        return texts_by_name(await self._server.call(*self.incidents_call))

    @property
    def incidents_call(self) -> Command:
        """The command whose reply ``texts_by_name`` reads as the incidents."""
        return ("HGETALL", f"{self._base}incidents")

    async def history(self, count: int) -> list[bytes]:
        """Return the latest entries of the history, newest first."""
        entries: list[bytes] = await self._server.call("LRANGE", f"{self._base}history", 0, count - 1)
        return entries

    async def silences(self) -> dict[str, bytes]:
        """Return the silences by name."""
        return texts_by_name(await self._server.call("HGETALL", f"{self._base}silences"))

    async def silence(self, name: str, text: bytes) -> None:
        """Store a silence."""
        await self._server.call("HSET", f"{self._base}silences", name, text)

    async def unsilence(self, *names: str) -> int:
        """Remove silences; return how many there were."""
        return int(await self._server.call("HDEL", f"{self._base}silences", *names)) if names else 0


def texts_by_name(flat: Sequence[bytes]) -> dict[str, bytes]:
    """Read a hash as the server sends it."""
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return {name.decode(errors="replace"): value for name, value in pairs}
