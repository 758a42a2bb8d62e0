"""A connection in an event loop."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

from stockyard._store.net.connection import Connection
from stockyard._store.net.endpoint import Endpoint, set_options
from stockyard._store.net.locator import Locator
from stockyard._store.net.turned_away import is_turned_away
from stockyard._store.net.unsent import Unsent, unsent
from stockyard.config import Address
from stockyard.errors import ReplyLost

_CHUNK = 65_536


class AsyncConnection(Connection):
    """A ``Connection`` over a stream of the running loop.

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
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def is_open(self) -> bool:
        reader, writer = self._reader, self._writer
        if self.is_misled or reader is None or writer is None:
            return False
        return not reader.at_eof() and not writer.transport.is_closing()

    async def read_bytes(self, timeout: float) -> bytes:
        """Return what the server sent, unread by anybody else; nothing when it was silent for so many seconds.

        Raises:
            ReplyLost: the connection broke.
        """
        reader = self._reader
        try:
            if reader is None:
                raise ConnectionError("not connected")
            async with asyncio.timeout(timeout):
                if sent := await reader.read(_CHUNK):
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
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.transport.abort()

    async def close(self) -> None:
        writer, self._reader, self._writer = self._writer, None, None
        if writer is None:
            return
        try:
            writer.close()
            if self._endpoint.address.scheme == "rediss":
                # TLS says goodbye before its socket closes: a loop that ends meanwhile would leave that open.
                async with asyncio.timeout(1):
                    await writer.wait_closed()
        # RuntimeError: the connection's loop is closed.
        except (OSError, RuntimeError):
            writer.transport.abort()
        except BaseException:
            writer.transport.abort()
            raise

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _connect(self) -> None:
        self._reader, self._writer = await _open_stream(self._endpoint)
        # The server begins with what is written in this turn of the loop; uvloop would wait for its end.
        self._writer.transport.set_write_buffer_limits(high=0)

    def _within(self, seconds: float) -> AbstractAsyncContextManager[object]:
        return asyncio.timeout(seconds)

    def _send(self, packed: list[bytes]) -> None:
        if self._writer is None:
            # Dropped meanwhile by who watches it.
            raise ConnectionError("not connected")
        self._writer.writelines(packed)

    async def _some(self, seconds: float | None) -> bytes:
        stream = self._reader
        if stream is None:
            raise ConnectionError("not connected")
        async with asyncio.timeout(seconds):
            return await stream.read(_CHUNK)

    def _unsent(self) -> Unsent | None:
        if self._writer is None:
            return None
        transport = self._writer.transport
        return unsent(transport.get_extra_info("socket"), transport.get_write_buffer_size())

    async def _is_turned_away(self) -> bool:
        return await asyncio.to_thread(is_turned_away, self._endpoint.address)


async def _open_stream(endpoint: Endpoint) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a stream.

    Raises:
        ConnectionError: why there is none; the system's error is its cause.
    """
    address = endpoint.address
    try:
        if address.scheme == "unix":
            return await asyncio.open_unix_connection(address.path or "")
        tls = endpoint.tls if address.scheme == "rediss" else None
        reader, writer = await asyncio.open_connection(address.host, address.port, ssl=tls)
    # ValueError: a name that can be no host's.
    except (OSError, ValueError) as error:
        raise endpoint.failure(error) from error
    plain = writer.get_extra_info("socket")
    if plain is not None:
        try:
            set_options(plain)
        except OSError:
            # The other side has closed it already.
            writer.transport.abort()
            raise
    return reader, writer
