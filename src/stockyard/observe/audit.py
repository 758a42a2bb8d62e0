"""What operators did by the dashboard: who, what, to which queue or job, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stockyard._store import audit as store
from stockyard._store.audit import AuditKeyspace
from stockyard.model import checks
from stockyard.model.fixed import Fixed

_LONGEST = 500
"""Characters of a text; the rest is cut off."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One action.

    Attributes:
        id: of the entry.
        at: when it was written, ms since the epoch by the server's clock.
        who: name of the person, as far as the dashboard knows it.
        action: what was done, as in ``retry``.
        queue: name of the queue, or empty.
        subject: which job, schedule, effect or limit, or empty.
        note: what else was given or came of it: a filter, a count, an error.
    """

    id: str
    at: int
    who: str
    action: str
    queue: str
    subject: str
    note: str


class AuditLog(Fixed):
    """The audit of one topology, server and prefix, shared by all processes.

    Args:
        keyspace: where it is.
    """

    def __init__(self, keyspace: AuditKeyspace) -> None:
        self._keyspace = keyspace
        self._is_made = True

    async def record(self, who: str, action: str, *, queue: str = "", subject: str = "", note: str = "") -> str:
        """Write an entry and return its id; about the latest 10,000 are kept.

        Raises:
            InvalidOption: the action is no text.
            ServerError: it is not written.
        """
        checks.text("action", action)
        fields = {"who": who, "action": action, "queue": queue, "subject": subject, "note": note}
        return await store.append(self._keyspace, {name: _storable(text) for name, text in fields.items()})

    async def list(self, count: int = 100) -> Sequence[AuditEntry]:
        """Return the latest entries, the newest first.

        Raises:
            InvalidOption: the count is no whole number from 1 to 10,000.
            ServerError: it cannot be read.
        """
        checks.whole("count", count, least=1, most=10_000)
        return [
            AuditEntry(
                entry,
                int(entry.partition("-")[0]),
                fields.get("who", ""),
                fields.get("action", ""),
                fields.get("queue", ""),
                fields.get("subject", ""),
                fields.get("note", ""),
            )
            for entry, fields in await store.read_latest(self._keyspace, count)
        ]


def _storable(text: str) -> str:
    """Return a text that the server stores whatever characters it came with."""
    return text[:_LONGEST].encode("utf-8", "replace").decode()
