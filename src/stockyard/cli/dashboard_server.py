"""Serves the dashboard of an App for browsers: who may come, by which address, and until when."""

from __future__ import annotations

import asyncio
import getpass
import ipaddress
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from stockyard.cli.options import host_and_port
from stockyard.config import read_environment
from stockyard.errors import ConfigError

if TYPE_CHECKING:
    from stockyard.app import App
    from stockyard.dashboard import Viewer

_LOCAL_NAMES = ("127.0.0.1", "localhost", f"[{ipaddress.IPv6Address(1)}]")
_FAREWELL = 3
"""Seconds that open requests have to end when the process is asked to stop."""


class Serving(NamedTuple):
    """A dashboard that browsers can open.

    Attributes:
        address: of its overview.
        ended: done when it serves no longer.
    """

    address: str
    ended: asyncio.Task[None]


@dataclass(frozen=True, slots=True)
class DashboardServer:
    """Where and for whom a dashboard is served; without a token for this machine alone.

    Attributes:
        host, port: where it listens.
        base: path under which browsers see it, without a slash at its end.
        token, read_token: by which people sign in, to act and to look.
        read_only: whether nobody may act.
    """

    host: str
    port: int
    base: str
    token: str | None
    read_token: str | None
    read_only: bool

    @classmethod
    def checked(cls, listen: str | None, *, base_path: str = "", read_only: bool = False) -> DashboardServer:
        """Return how to serve it, by the options of a command and the tokens of the environment.

        Args:
            listen: [HOST:]PORT; None for port 8400 of this machine alone.
            base_path: path under which browsers see it. Defaults to none.
            read_only: whether nobody may act. Defaults to False.

        Raises:
            ConfigError: others could reach it without a token, the path is none, or the extra is missing.
        """
        environ = read_environment()
        token = environ.get("STOCKYARD_DASHBOARD_TOKEN") or None
        read_token = environ.get("STOCKYARD_DASHBOARD_READ_TOKEN") or None
        host, port = host_and_port(listen or "127.0.0.1:8400")
        if token is None and read_token is None and not _is_local(host):
            raise ConfigError(
                f"--listen {host}:{port} can be reached from elsewhere: set STOCKYARD_DASHBOARD_TOKEN to a text "
                "of 16 characters or more that people sign in with, or listen on 127.0.0.1"
            )
        if base_path and (not base_path.startswith("/") or base_path.strip("/") == ""):
            raise ConfigError(f"--base-path must begin with '/', as in /stockyard; got {base_path!r}")
        try:
            import uvicorn  # noqa: F401

            import stockyard.dashboard.asgi  # noqa: F401
        except ImportError as error:
            raise ConfigError("the dashboard needs the extra: pip install 'stockyard[dashboard]'") from error
        return cls(host, port, base_path.rstrip("/"), token, read_token, read_only)

    @asynccontextmanager
    async def serving(self, app: App) -> AsyncIterator[Serving]:
        """Serve the dashboard of an App within the block.

        Raises:
            ConfigError: the address is taken, or is none of this machine.
        """
        import uvicorn
        from starlette.applications import Starlette
        from starlette.routing import Mount

        from stockyard.dashboard import Dashboard

        class Server(uvicorn.Server):
            """One that leaves signals to the command, which closes the App behind it."""

            @contextmanager
            def capture_signals(self) -> Iterator[None]:
                yield

        listener = _listener(self.host, self.port)
        has_tokens = self.token is not None or self.read_token is not None
        board = Dashboard(
            app,
            token=self.token,
            read_token=self.read_token,
            authenticate=None if has_tokens else _local_viewer,
            read_only=self.read_only,
            hosts=None if has_tokens else _LOCAL_NAMES,
        )
        config = uvicorn.Config(
            Starlette(routes=[Mount(self.base, board)]) if self.base else board,
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=_FAREWELL,
        )
        server = Server(config)
        ended = asyncio.create_task(server.serve(sockets=[listener]))
        shown = f"[{self.host}]" if ":" in self.host else self.host
        try:
            yield Serving(f"http://{shown}:{listener.getsockname()[1]}{self.base}/", ended)
        finally:
            try:
                # Streams of events watch for this, and end.
                server.handle_exit(signal.SIGTERM, None)
                await ended
            finally:
                await board.aclose()

    @asynccontextmanager
    async def beside(self, app: App) -> AsyncIterator[str]:
        """Serve it within the block, which is given a line for people that names the address."""
        async with self.serving(app) as serving:
            yield f"dashboard at {serving.address}"


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, reuse_port=False)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}") from error


def _local_viewer(_request: object) -> Viewer:
    """Return the user of this machine that runs the command: others cannot reach it."""
    from stockyard.dashboard import Viewer

    try:
        return Viewer(getpass.getuser(), can_act=True)
    except (KeyError, OSError):
        return Viewer("local", can_act=True)


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
