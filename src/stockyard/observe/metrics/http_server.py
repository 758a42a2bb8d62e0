"""A small HTTP server whose connections are bounded in number and in time, so that no client can hold it up."""

from __future__ import annotations

import io
import logging
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

_log = logging.getLogger(__name__)
MOST_CONNECTIONS = 32
"""Connections at a time, and so threads; one more ends the oldest that has not sent its request."""
HEAD_SECONDS = 5.0
"""Time for the head of a request, in all."""
WHOLE_SECONDS = 60.0
"""Time for a request and its answer, in all: as long as a scrape may wait for a server that does not answer."""


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    since: float
    is_asked: bool = False


class BoundedServer(ThreadingMixIn, WSGIServer):
    """A thread for each request: a probe must not stand in line behind a scrape that waits for the server."""

    daemon_threads = True

    def __init__(self, *given: Any, **named: Any) -> None:
        self._lock = threading.Lock()
        self._open: dict[int, _Connection] = {}
        super().__init__(*given, **named)

    def server_bind(self) -> None:
        # The library's own asks the name service who this machine is, which may take long.
        TCPServer.server_bind(self)
        self.server_name: str = str(self.server_address[0])
        self.server_port: int = self.server_address[1]
        self.setup_environ()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Make room for a connection; refuse it if all are being answered."""
        with self._lock:
            if len(self._open) >= MOST_CONNECTIONS:
                silent = [each for each in self._open.values() if not each.is_asked]
                if not silent:
                    _log.debug("%d requests are being answered; one more was refused", len(self._open))
                    return False
                oldest = min(silent, key=lambda each: each.since)
                # Its thread notices, and closes; its place is taken from now on.
                _cut(oldest.socket)
                del self._open[id(oldest.socket)]
            self._open[id(request)] = _Connection(request, time.monotonic())
        return True

    def asked(self, request: Any) -> None:
        """The head of the connection's request is complete."""
        with self._lock:
            found = self._open.get(id(request))
            if found is not None:
                found.is_asked = True

    def service_actions(self) -> None:
        """Cut connections whose time is over; called a few times a second."""
        now = time.monotonic()
        with self._lock:
            for each in self._open.values():
                if now - each.since > (WHOLE_SECONDS if each.is_asked else HEAD_SECONDS):
                    _cut(each.socket)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection; its place is free again."""
        with self._lock:
            found = self._open.get(id(request))
            if found is not None and found.socket is request:
                del self._open[id(request)]
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is its client's matter, and no line of the log for each."""
        _log.debug("a connection to the metrics server ended early", exc_info=True)


class BoundedServerOverIPv6(BoundedServer):
    """The same on an IPv6 address."""

    address_family: int = socket.AF_INET6


class QuietHandler(WSGIRequestHandler):
    """Reads one request; logs at DEBUG."""

    server: BoundedServer
    timeout = HEAD_SECONDS

    def parse_request(self) -> bool:
        """Read the head."""
        is_complete = super().parse_request()
        self.server.asked(self.request)
        return is_complete

    def get_stderr(self) -> Any:
        """Where the library writes tracebacks of connections that break while they are answered."""
        return io.StringIO()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log a request."""
        _log.debug(format, *args)


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
