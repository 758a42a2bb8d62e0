"""`stockyard health`: how the queues are, and what needs somebody; the exit status is the verdict."""

from __future__ import annotations

import asyncio
import sys

from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import seconds, show_json, show_table
from stockyard.cli.options import AsJson
from stockyard.observe.alerts import evaluate
from stockyard.observe.health import QueueHealth
from stockyard.trading import alert_rules


def health(*names: str, connection: Connection = DEFAULT, json: AsJson = False) -> int:
    """Show queues and alerts; the exit status is 0 when nothing is wrong, else 1.

    Args:
        names: the queues. Defaults to all.
    """
    snapshots = asyncio.run(_read(names, connection))
    alerts = evaluate(alert_rules(topology=connection.topology()), snapshots)
    if json:
        show_json({"queues": snapshots, "alerts": alerts})
    else:
        columns = ("queue", "waiting", "active", "delayed", "completed", "failed", "oldest", "longest", "workers")
        show_table(columns, map(_row, snapshots), right=columns[1:])
        for alert in alerts:
            print(f"ALERT  {alert.message}", file=sys.stderr)
    return 1 if alerts else 0


async def _read(names: tuple[str, ...], connection: Connection) -> list[QueueHealth]:
    async with connection.open() as app:
        return await app.health(*names)


def _row(health: QueueHealth) -> tuple[object, ...]:
    return (
        f"{health.name} (paused)" if health.paused else health.name,
        health.waiting,
        health.active,
        health.delayed,
        health.completed,
        health.failed,
        seconds(health.oldest_waiting_age),
        seconds(health.longest_active),
        health.workers,
    )
