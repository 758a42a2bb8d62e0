"""Opens sockets to one address: over TCP, TLS or a socket file."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from stockyard._aio.cached_property import CachedProperty
from stockyard.config import Address

if TYPE_CHECKING:
    import ssl

_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""After how many idle seconds the kernel asks the other side for a sign of life, at what distance again, and how
often before it breaks the connection; where the system knows these options."""


class Endpoint:
    """Where a server listens.

    Args:
        address: the server's.

    Attributes:
        address: the server's.
    """

    def __init__(self, address: Address) -> None:
        self.address = address

    def connect(self, seconds: float) -> socket.socket:
        """Open a socket for the calling thread, in so many seconds; how long the name takes is the resolver's.

        Raises:
            TimeoutError: it took longer.
            ConnectionError: why there is none; the system's error is its cause.
        """
        address, deadline = self.address, time.monotonic() + seconds
        plain: socket.socket | None = None
        try:
            if address.scheme == "unix":
                plain = socket.socket(socket.AF_UNIX)
                plain.settimeout(seconds)
                plain.connect(address.path or "")
                return plain
            plain = socket.create_connection((address.host, address.port), seconds)
            set_options(plain)
            if address.scheme == "rediss":
                plain.settimeout(max(deadline - time.monotonic(), 0.001))
                plain = self.tls.wrap_socket(plain, server_hostname=address.host)
            return plain
        except BaseException as error:
            if plain is not None:
                plain.close()
            if isinstance(error, TimeoutError):
                raise TimeoutError from error
            if isinstance(error, OSError | ValueError):
                raise self.failure(error) from error
            raise

    def failure(self, error: Exception) -> ConnectionError:
        """Return what to raise when there is no connection, by the system's error."""
        address = self.address
        where = address.path if address.scheme == "unix" else f"{address.host}:{address.port}"
        return ConnectionError(_explained(error, where))

    @CachedProperty
    def tls(self) -> ssl.SSLContext:
        """What ``rediss`` needs; an OSError when a file does not serve."""
        # Imported late: without TLS, no process needs it.
        import ssl

        files = self.address.tls
        context = ssl.create_default_context()
        if "cert" in files:
            # Without a password, OpenSSL would ask the terminal for the passphrase of a key, and wait for ever.
            context.load_cert_chain(files["cert"], files.get("key"), password="")
        if "ca" in files:
            context.load_verify_locations(files["ca"])
        return context


def set_options(plain: socket.socket) -> None:
    """Send small writes at once, and notice another side that has gone."""
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            plain.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _explained(error: Exception, where: str | None) -> str:
    number, *texts = error.args or ("",)
    return f"Error {number} connecting to {where}." + (f" {texts[0]}." if texts else "")
