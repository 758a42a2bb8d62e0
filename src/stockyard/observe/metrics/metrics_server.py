"""Serves metrics and health over HTTP, from a thread of its own, so that a busy loop is seen for what it is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from wsgiref.simple_server import make_server

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder, generate_latest

from stockyard.consume.heartbeat import HealthCheck
from stockyard.errors import BlockingCallRefused, ConfigError
from stockyard.model import checks
from stockyard.observe.metrics.exporter import Exporter
from stockyard.observe.metrics.http_server import BoundedServer, BoundedServerOverIPv6, QuietHandler

_log = logging.getLogger(__name__)
_POLL = 0.1
"""Seconds that `stop` may have to wait."""


class MetricsServer:
    """Answers ``/metrics``, ``/live`` and ``/ready``.

    ``/live`` is 200 while the process can work and 503 when it should be started again; ``/ready`` is 503 until it
    works, and while it cannot. Both answer with their checks as JSON.

    Args:
        exporter: for ``/metrics``.
        live, ready: look, without blocking.
        host: where to listen. Defaults to this machine alone.
        port: 0 chooses one.

    Raises:
        ConfigError: the address cannot be listened on.
        InvalidOption: the host is no text, or the port is out of its range.
    """

    def __init__(
        self,
        exporter: Exporter,
        *,
        live: Callable[[], Sequence[HealthCheck]],
        ready: Callable[[], Sequence[HealthCheck]],
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        checks.line("host", host)
        checks.whole("port", port, most=65_535, hint="0 chooses one")
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(exporter)
        self._probes = {"/live": live, "/ready": ready}
        self._host = host
        try:
            kind = BoundedServerOverIPv6 if ":" in host else BoundedServer
            self._server = make_server(host, port, self._answer, kind, QuietHandler)
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
        try:
            status, kind, body = self._answered(environ)
        except BlockingCallRefused as error:
            # The app closed during this request: that is no fault, so no traceback.
            _log.debug("the metrics server did not answer %s: %s", environ.get("PATH_INFO", ""), error)
            status, kind, body = "503 Service Unavailable", "text/plain", b"this process is closing\n"
        except Exception as error:
            _log.exception("the metrics server could not answer %s", environ.get("PATH_INFO", ""))
            status, kind = "500 Internal Server Error", "text/plain"
            body = f"{type(error).__name__}; see the log of this process\n".encode()
        start(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    def _answered(self, environ: dict[str, Any]) -> tuple[str, str, bytes]:
        path = environ.get("PATH_INFO", "")
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            return "405 Method Not Allowed", "text/plain", b"GET only\n"
        if path == "/metrics":
            return "200 OK", *self._metrics(environ.get("HTTP_ACCEPT", ""))
        if path in self._probes:
            health_checks = self._probes[path]()
            well = all(check.ok for check in health_checks)
            status = "200 OK" if well else "503 Service Unavailable"
            signs = [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in health_checks]
            return status, "application/json", msgspec.json.encode({"ok": well, "checks": signs})
        return "404 Not Found", "text/plain", b"try /metrics, /live or /ready\n"

    def _metrics(self, accept: str) -> tuple[str, bytes]:
        try:
            encode, kind = choose_encoder(accept)
            if kind.isascii() and kind.isprintable():
                return kind, encode(self._registry)
        except Exception as error:
            # A client may ask for a form that does not exist: it gets the one that every client reads.
            _log.debug("metrics cannot be written as %r asks: %r", accept, error)
        return CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self._registry)
