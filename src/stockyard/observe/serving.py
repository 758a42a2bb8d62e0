"""Serves metrics and health over HTTP, from a thread of its own, so that a busy loop is seen for what it is."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from stockyard.errors import ConfigError
from stockyard.observe.exporter import Exporter

_log = logging.getLogger("stockyard")


class Vital(NamedTuple):
    """One sign of life.

    Attributes:
        name: what was looked at.
        well: whether it is as it should be.
        said: what was found, for people.
    """

    name: str
    well: bool
    said: str


class _OverIPv6(WSGIServer):
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
        try:
            kind = _OverIPv6 if ":" in host else WSGIServer
            self._server = make_server(host, port, self._answer, kind, _Handler)
        except OSError as error:
            raise ConfigError(f"cannot serve metrics on {host}:{port}: {error.strerror or error}") from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

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
            signs = {each.name: {"ok": each.well, "detail": each.said} for each in vitals}
            kind, body = "application/json", msgspec.json.encode({"ok": well, "checks": signs})
        else:
            status, kind, body = "404 Not Found", "text/plain", b"try /metrics, /live or /ready\n"
        start(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]
