"""`stockyard dashboard`: pages of the queues and jobs, for browsers."""

from __future__ import annotations

import asyncio
from typing import Annotated

from cyclopts import Parameter

from stockyard._aio.stop_signals import stop_signals
from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.dashboard_server import DashboardServer
from stockyard.cli.options import Endpoint


async def dashboard(
    *,
    listen: Endpoint = None,
    base_path: Annotated[str, Parameter(help="Path under which browsers see it, as in /stockyard.")] = "",
    read_only: Annotated[bool, Parameter(help="Let nobody change anything.")] = False,
    connection: Connection = DEFAULT,
) -> None:
    """Serve the dashboard for browsers, until stopped. It needs the extra ``dashboard``.

    People sign in by the token of STOCKYARD_DASHBOARD_TOKEN, or look only by that of
    STOCKYARD_DASHBOARD_READ_TOKEN. Without tokens it serves this machine alone.

    Args:
        listen: [HOST:]PORT to listen on; 8400 by default, on this machine alone.
    """
    server = DashboardServer.checked(listen, base_path=base_path, read_only=read_only)
    with stop_signals() as stopped:
        async with connection.open() as app, server.serving(app) as serving:
            print(f"dashboard at {serving.address}", flush=True)
            stopping = asyncio.create_task(stopped.wait())
            await asyncio.wait([serving.ended, stopping], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
