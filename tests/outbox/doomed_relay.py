"""A relay in a process of its own, to be killed: it adds jobs to their queue and never marks their rows."""

import asyncio
import sys
from typing import Any

from stockyard import App, Topology
from stockyard.outbox import Outbox, OutboxRelay
from stockyard.outbox.rows import OutboxRows


async def main(url: str, prefix: str, database: str, table: str) -> None:
    """Say when the jobs are added, and wait to be killed."""
    topology = Topology("shop")
    topology.queue("orders")

    def mark(*_: Any, **__: Any) -> Any:
        print("added", flush=True)
        return sys.stdin.read()

    OutboxRows.mark_relayed = mark  # type: ignore[method-assign]
    async with App(topology, url, prefix=prefix) as app:
        await OutboxRelay(app, database, Outbox(topology, table), lease="1s").relay_pending()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
