"""`stockyard halts`: what is halted, and who did it."""

from __future__ import annotations

from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import show_json, show_table, when
from stockyard.cli.options import AsJson

_HALTS = ("queues", "key", "by", "since", "reason")
_AUDIT = ("at", "action", "queues", "key", "by", "reason")


async def halts(
    *, audit: bool = False, count: int = 100, connection: Connection = DEFAULT, json: AsJson = False
) -> None:
    """List what is halted, open circuit breakers too.

    Args:
        audit: list who halted and resumed what instead, and what circuit breakers did, the latest first.
        count: so many of the audit at most; 100 by default.
    """
    async with connection.open() as app:
        if audit:
            changes = await app.halt_audit(count)
            if json:
                show_json(changes)
            else:
                rows = [
                    (when(each.at), each.action, each.queues, each.key, each.by, each.reason) for each in changes
                ]
                show_table(_AUDIT, rows)
            return
        found = await app.halts()
    if json:
        show_json(found)
    else:
        show_table(_HALTS, [(each.queues, each.key, each.by, when(each.since), each.reason) for each in found])
