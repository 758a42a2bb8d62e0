"""Kills a primary of the demo's own cluster in the middle of the replay; its replica takes over."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from stockyard import embedded
from stockyard.app import App
from stockyard.produce.queue import keyspace_of


async def kill_primary_of(app: App, queue: str, data: Path) -> str:
    """Kill the server process that serves a queue, and return its address.

    Args:
        app: on the cluster.
        queue: name of a declared queue.
        data: folder of the embedded cluster.

    Raises:
        ServerError: nobody says which process it is.
    """
    address = (await keyspace_of(app.queue(queue)).holder()).address
    members = (await asyncio.to_thread(embedded.status, data)).members
    pid = next(member.pid for member in members if member.port == address.port)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
    return f"{address.host}:{address.port}"
