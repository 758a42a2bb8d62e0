"""A connection in an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

from stockyard._store.net.connection import Connection
from stockyard._store.net.endpoint import Endpoint, set_options
from stockyard._store.net.inbox import Inbox
from stockyard._store.net.locator import Locator
from stockyard._store.net.turned_away import is_turned_away
from stockyard._store.net.unsent import Unsent, unsent
from stockyard.config import Address
from stockyard.errors import ReplyLost


class AsyncConnection(Connection):
    """A ``Connection`` over a transport of the running loop.

    Args:
        address, client_name, reads_text, locator: those of ``Connection``.
    """

    def __init__(
        self,
        address: Address,
        *,
        client_name: str | None = None,
        reads_text: bool = False,
        locator: Locator | None = None,
    ) -> None:
        super().__init__(address, client_name=client_name, reads_text=reads_text, locator=locator)
        self._inbox: Inbox | None = None
        self._transport: asyncio.Transport | None = None

    @property
    def is_open(self) -> bool:
        inbox, transport = self._inbox, self._transport
        if self.is_misled or inbox is None or transport is None:
            return False
        return not inbox.is_at_end and not transport.is_closing()

    async def read_bytes(self, timeout: float) -> bytes:
        """Return what the server sent, unread by anybody else; nothing when it was silent for so many seconds.

        Raises:
            ReplyLost: the connection broke.
        """
        try:
            if sent := await self._some(timeout):
                return sent
            raise ConnectionError("closed by the server")
        except TimeoutError:
            return b""
        except OSError as error:
            self.drop()
            raise ReplyLost(f"the connection to the server at {self.address} broke ({error})") from error

    def sibling(self, address: Address) -> AsyncConnection:
        return AsyncConnection(address)

    def drop(self) -> None:
        transport, self._inbox, self._transport = self._transport, None, None
        if transport is not None:
            transport.abort()

    async def close(self) -> None:
        inbox, transport, self._inbox, self._transport = self._inbox, self._transport, None, None
        if inbox is None or transport is None:
            return
        try:
            transport.close()
            if self._endpoint.address.scheme == "rediss":
                # TLS says goodbye before its socket closes: a loop that ends meanwhile would leave that open.
                async with asyncio.timeout(1):
                    await inbox.closed()
        # RuntimeError: the connection's loop is closed.
        except (OSError, RuntimeError):
            transport.abort()
        except BaseException:
            transport.abort()
            raise

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _connect(self) -> None:
        self._transport, self._inbox = await _connected(self._endpoint)
        # The server begins with what is written in this turn of the loop; uvloop would wait for its end.
        self._transport.set_write_buffer_limits(high=0)

    def _within(self, seconds: float) -> AbstractAsyncContextManager[object]:
        return asyncio.timeout(seconds)

    def _send(self, packed: list[bytes]) -> None:
        if self._transport is None:
            # Dropped meanwhile by who watches it.
            raise ConnectionError("not connected")
        self._transport.writelines(packed)

    def _some(self, seconds: float | None) -> Coroutine[Any, Any, bytes]:
        if self._inbox is None:
            raise ConnectionError("not connected")
        return self._inbox.next(seconds)

    def _unsent(self) -> Unsent | None:
        transport = self._transport
        if transport is None:
            return None
        return unsent(transport.get_extra_info("socket"), transport.get_write_buffer_size())

    async def _is_turned_away(self) -> bool:
        return await asyncio.to_thread(is_turned_away, self._endpoint.address)


async def _connected(endpoint: Endpoint) -> tuple[asyncio.Transport, Inbox]:
    """Connect.

    Raises:
        ConnectionError: why there is no connection; the system's error is its cause.
    """
    address, loop = endpoint.address, asyncio.get_running_loop()
    try:
        if address.scheme == "unix":
            return await loop.create_unix_connection(Inbox, address.path or "")
        tls = endpoint.tls if address.scheme == "rediss" else None
        transport, inbox = await loop.create_connection(Inbox, address.host, address.port, ssl=tls)
    # ValueError: a name that can be no host's.
    except (OSError, ValueError) as error:
        raise endpoint.failure(error) from error
    plain = transport.get_extra_info("socket")
    if plain is not None:
        try:
            set_options(plain)
        except OSError:
            # The other side has closed it already.
            transport.abort()
            raise
    return transport, inbox
