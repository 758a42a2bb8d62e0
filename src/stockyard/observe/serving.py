"""Serves metrics and health over HTTP, from a thread of its own, so that a busy loop is seen for what it is."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from stockyard.consume.vitals import Vital
from stockyard.errors import ConfigError
from stockyard.observe.exporter import Exporter

_log = logging.getLogger("stockyard")
_POLL = 0.1
"""Seconds that `stop` may have to wait."""


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each request: a probe must not stand in line behind a scrape that waits for the server."""

    daemon_threads = True

    def server_bind(self) -> None:
        # The library's own asks the name service who this machine is, which may take long.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()


class _OverIPv6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = 10

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        _log.debug(format, *args)


class MetricsServer:
    """Answers ``/metrics``, ``/live`` and ``/ready``.

    ``/live`` is 200 while the process can work and 503 when it should be started again; ``/ready`` is 503 until it
    works, and while it cannot. Both tell what they saw as JSON.

    Args:
        exporter: for ``/metrics``.
        live, ready: look, without blocking.
        host: where to listen. Defaults to this machine alone.
        port: 0 chooses one.

    Raises:
        ConfigError: the address cannot be listened on.
    """

    def __init__(
        self,
        exporter: Exporter,
        *,
        live: Callable[[], Sequence[Vital]],
        ready: Callable[[], Sequence[Vital]],
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(exporter)
        self._probes = {"/live": live, "/ready": ready}
        self._host = host
        try:
            kind = _OverIPv6 if ":" in host else _Server
            self._server = make_server(host, port, self._answer, kind, _Handler)
        except OSError as error:
            raise ConfigError(f"cannot serve metrics on {host}:{port}: {error.strerror or error}") from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL,), name="metrics", daemon=True
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    @property
    def url(self) -> str:
        """Where it is reached: ``http://127.0.0.1:9400``."""
        host = self._host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End; stopping twice is fine."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            status, kind, body = "405 Method Not Allowed", "text/plain", b"GET only\n"
        elif path == "/metrics":
            encode, kind = choose_encoder(environ.get("HTTP_ACCEPT", ""))
            status, body = "200 OK", encode(self._registry)
        elif path in self._probes:
            vitals = self._probes[path]()
            well = all(each.well for each in vitals)
            status = "200 OK" if well else "503 Service Unavailable"
            signs = [{"name": each.name, "ok": each.well, "detail": each.said} for each in vitals]
            kind, body = "application/json", msgspec.json.encode({"ok": well, "checks": signs})
        else:
            status, kind, body = "404 Not Found", "text/plain", b"try /metrics, /live or /ready\n"
        start(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]
