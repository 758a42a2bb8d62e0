"""Opens streams to one address: over TCP, TLS or a socket file."""

from __future__ import annotations

import asyncio
import socket
import ssl
from functools import cached_property

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
        is_file = address.scheme == "unix"
        try:
            if is_file:
                return await asyncio.open_unix_connection(address.path or "")
            tls = self._tls if address.scheme == "rediss" else None
            reader, writer = await asyncio.open_connection(address.host, address.port, ssl=tls)
        # ValueError: a name that can be no host's.
        except (OSError, ValueError) as error:
            where = address.path if is_file else f"{address.host}:{address.port}"
            raise ConnectionError(_explained(error, where)) from error
        _set_options(writer)
        return reader, writer

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        files = self._address.tls
        context = ssl.create_default_context()
        if "cert" in files:
            # Without a password, OpenSSL would ask the terminal for the passphrase of a key, and wait for ever.
            context.load_cert_chain(files["cert"], files.get("key"), password="")
        if "ca" in files:
            context.load_verify_locations(files["ca"])
        return context


def _set_options(writer: asyncio.StreamWriter) -> None:
    plain = writer.get_extra_info("socket")
    if plain is None:
        return
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):
                plain.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    except OSError:
        # The other side has closed it already.
        writer.transport.abort()
        raise


def _explained(error: Exception, where: str | None) -> str:
    number, *texts = error.args or ("",)
    return f"Error {number} connecting to {where}." + (f" {texts[0]}." if texts else "")
