"""`stockyard mcp`: a read-only server of the Model Context Protocol on standard input and output."""

from __future__ import annotations

import signal
from typing import Annotated

from cyclopts import Parameter

from stockyard.cli.connection import DEFAULT, Connection
from stockyard.errors import ConfigError


async def mcp(
    *,
    payloads: Annotated[bool, Parameter(negative="--no-payloads")] = True,
    connection: Connection = DEFAULT,
) -> None:
    """Let an assistant read health, jobs and effects by the Model Context Protocol, on standard input and output.
    It changes nothing. It needs the extra ``mcp``.

    Args:
        payloads: show payloads, results and logs of jobs, secrets masked; --no-payloads leaves them out.
    """
    try:
        from stockyard.mcp import mcp_server
    except ImportError as error:
        raise ConfigError("the MCP server needs the extra: pip install 'stockyard[mcp]'") from error
    # A read of standard input cannot be interrupted: Ctrl-C ends the process at once, as SIGTERM does.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    async with connection.open() as app:
        await mcp_server(app, payloads=payloads).run_stdio_async()
