"""Opens streams and sockets to one address: over TCP, TLS or a socket file."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time

from stockyard._aio.cached_property import CachedProperty
from stockyard.config import Address

_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""After how many idle seconds the kernel asks the other side for a sign of life, at what distance again, and how
often before it breaks the connection; where the system knows these options."""


class Endpoint:
    """Where a server listens.

    Args:
        address: the server's.
    """

    def __init__(self, address: Address) -> None:
        self._address = address

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a stream.

        Raises:
            ConnectionError: why there is none; the system's error is its cause.
        """
        address = self._address
        try:
            if address.scheme == "unix":
                return await asyncio.open_unix_connection(address.path or "")
            tls = self._tls if address.scheme == "rediss" else None
            reader, writer = await asyncio.open_connection(address.host, address.port, ssl=tls)
        # ValueError: a name that can be no host's.
        except (OSError, ValueError) as error:
            raise self._failure(error) from error
        plain = writer.get_extra_info("socket")
        if plain is not None:
            try:
                _set_options(plain)
            except OSError:
                # The other side has closed it already.
                writer.transport.abort()
                raise
        return reader, writer

    def connect_blocking(self, seconds: float) -> socket.socket:
        """Open a socket for the calling thread, in so many seconds; how long the name takes is the resolver's.

        Raises:
            TimeoutError: it took longer.
            ConnectionError: why there is none; the system's error is its cause.
        """
        address, deadline = self._address, time.monotonic() + seconds
        plain: socket.socket | None = None
        try:
            if address.scheme == "unix":
                plain = socket.socket(socket.AF_UNIX)
                plain.settimeout(seconds)
                plain.connect(address.path or "")
                return plain
            plain = socket.create_connection((address.host, address.port), seconds)
            _set_options(plain)
            if address.scheme == "rediss":
                plain.settimeout(max(deadline - time.monotonic(), 0.001))
                plain = self._tls.wrap_socket(plain, server_hostname=address.host)
            return plain
        except BaseException as error:
            if plain is not None:
                plain.close()
            if isinstance(error, TimeoutError):
                raise TimeoutError from error
            if isinstance(error, OSError | ValueError):
                raise self._failure(error) from error
            raise

    def _failure(self, error: Exception) -> ConnectionError:
        address = self._address
        where = address.path if address.scheme == "unix" else f"{address.host}:{address.port}"
        return ConnectionError(_explained(error, where))

    @CachedProperty
    def _tls(self) -> ssl.SSLContext:
        files = self._address.tls
        context = ssl.create_default_context()
        if "cert" in files:
            # Without a password, OpenSSL would ask the terminal for the passphrase of a key, and wait for ever.
            context.load_cert_chain(files["cert"], files.get("key"), password="")
        if "ca" in files:
            context.load_verify_locations(files["ca"])
        return context


def _set_options(plain: socket.socket) -> None:
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            plain.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _explained(error: Exception, where: str | None) -> str:
    number, *texts = error.args or ("",)
    return f"Error {number} connecting to {where}." + (f" {texts[0]}." if texts else "")
