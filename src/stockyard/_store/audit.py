"""What operators did, as a stream that all processes of a topology share."""

from __future__ import annotations

from collections.abc import Mapping

from stockyard._store.net.server import Server
from stockyard._store.text_fields import text_fields
from stockyard._wire.own_keys import audit_key
from stockyard.model.naming import Naming

_KEPT = 10_000


class AuditKeyspace:
    """The audit of one topology on one server.

    Args:
        server: the server.
        naming: how keys are spelled.
        topology: its name.
    """

    def __init__(self, server: Server, naming: Naming, topology: str) -> None:
        self.server = server
        self.key: str = audit_key(naming, topology)


async def append(keyspace: AuditKeyspace, fields: Mapping[str, str]) -> str:
    """Append an entry and return its id; about the latest 10,000 are kept."""
    texts = [text for pair in fields.items() for text in pair]
    entry: bytes = await keyspace.server.call("XADD", keyspace.key, "MAXLEN", "~", _KEPT, "*", *texts)
    return entry.decode()


async def read_latest(keyspace: AuditKeyspace, count: int) -> list[tuple[str, dict[str, str]]]:
    """Return ids and fields of the latest entries, the newest first."""
    entries = await keyspace.server.call("XREVRANGE", keyspace.key, "+", "-", "COUNT", count)
    return [(entry.decode(), text_fields(fields)) for entry, fields in entries]
