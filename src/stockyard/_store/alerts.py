"""The alerts of a topology, shared by all processes: which process monitors, incidents, silences, history.

Incidents and silences are JSON text, which is not read here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from stockyard._store.net.connection import Command
from stockyard._store.net.server import Server
from stockyard._store.scripts import Script, load
from stockyard._wire.own_keys import alerts_base
from stockyard.model.naming import Naming

_LEAD = load("alerts.lead")
_RECORD = load("alerts.record")
_MAX_HISTORY = 1_000
_json = msgspec.json.Encoder().encode


class AlertKeyspace:
    """The alerts of one topology on one server; one process monitors these queues and no others.

    Args:
        server: the server.
        naming: how keys are spelled.
        topology: its name.
    """

    def __init__(self, server: Server, naming: Naming, topology: str) -> None:
        self.server = server
        self.base: str = alerts_base(naming, topology)

    async def run(self, script: Script, *args: str | bytes | int | float) -> Any:
        """Run a script that makes its keys itself, of what they begin with."""
        return await self.server.run(script, (self.base,), self.base, *args)

    @property
    def incidents_call(self) -> Command:
        """The command whose reply ``texts_by_name`` reads as the incidents."""
        return ("HGETALL", f"{self.base}incidents")


class StoredAlerts(NamedTuple):
    """Incidents and silences by name, and the keys that are no hash."""

    incidents: dict[str, bytes]
    silences: dict[str, bytes]
    broken: tuple[str, ...] = ()


async def lead(keyspace: AlertKeyspace, token: str, ttl_ms: int) -> StoredAlerts | None:
    """Become or stay the leader; return what is stored, None if another process leads."""
    reply = await keyspace.run(_LEAD, token, ttl_ms)
    if reply is None:
        return None
    incidents, silences, broken = reply
    keys = tuple(f"{keyspace.base}{name.decode()}" for name in broken)
    return StoredAlerts(texts_by_name(incidents), texts_by_name(silences), keys)


async def record(
    keyspace: AlertKeyspace, token: str, incidents: Mapping[str, bytes], history: Sequence[bytes]
) -> bool:
    """Replace the incidents and append to the history; False when another process leads by now."""
    current = _json([(name, text.decode()) for name, text in incidents.items()])
    entries = _json([text.decode() for text in history])
    return bool(await keyspace.run(_RECORD, token, current, entries, _MAX_HISTORY))


async def resign(keyspace: AlertKeyspace, token: str) -> None:
    """Let another process lead at once."""
    if await keyspace.server.call("GET", f"{keyspace.base}leader") == token.encode():
        await keyspace.server.call("DEL", f"{keyspace.base}leader")


async def read_incidents(keyspace: AlertKeyspace) -> dict[str, bytes]:
    """Return the incidents by name.

    Raises:
        ServerRefused: the key is not a hash, or the user may not read it.
    """
    return texts_by_name(await keyspace.server.call(*keyspace.incidents_call))


async def read_history(keyspace: AlertKeyspace, count: int) -> list[bytes]:
    """Return the latest entries of the history, newest first."""
    entries: list[bytes] = await keyspace.server.call("LRANGE", f"{keyspace.base}history", 0, count - 1)
    return entries


async def read_silences(keyspace: AlertKeyspace) -> dict[str, bytes]:
    """Return the silences by name."""
    return texts_by_name(await keyspace.server.call("HGETALL", f"{keyspace.base}silences"))


async def silence(keyspace: AlertKeyspace, name: str, text: bytes) -> None:
    """Store a silence."""
    await keyspace.server.call("HSET", f"{keyspace.base}silences", name, text)


async def unsilence(keyspace: AlertKeyspace, *names: str) -> int:
    """Remove silences; return how many there were."""
    return int(await keyspace.server.call("HDEL", f"{keyspace.base}silences", *names)) if names else 0


def texts_by_name(flat: Sequence[bytes]) -> dict[str, bytes]:
    """Read a hash as the server sends it."""
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return {name.decode(errors="replace"): value for name, value in pairs}
