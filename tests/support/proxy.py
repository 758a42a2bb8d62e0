"""A TCP proxy before a server: it cuts connections, holds back traffic, and loses replies when told to."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Self
from urllib.parse import urlsplit, urlunsplit


class Proxy:
    """Forwards to a server on localhost; use it as `async with Proxy(server.url) as proxy`.

    Attributes:
        requests: every piece of bytes that a client sent, in order of arrival.

    Args:
        url: of the server, with a TCP port.
    """

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._doomed: Callable[[bytes], bool] | None = None
        self._lost = asyncio.Event()
        self.requests: list[bytes] = []

    @property
    def url(self) -> str:
        """The URL that leads through it."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        login, at, _ = self._url.netloc.rpartition("@")
        return urlunsplit(self._url._replace(netloc=f"{login}{at}127.0.0.1:{port}"))

    def cut(self) -> None:
        """Break every connection; new ones are served."""
        for pair in list(self._pairs):
            for writer in pair:
                writer.transport.abort()

    async def refuse(self) -> None:
        """Break every connection and listen no more, until `accept`."""
        assert self._server is not None
        self._port = self._server.sockets[0].getsockname()[1]
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    async def accept(self) -> None:
        """Listen again on the same port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    def hold(self) -> None:
        """Forward nothing, in neither direction, though connections stay open."""
        self._flowing.clear()

    def release(self) -> None:
        """Forward again, first what was held back."""
        self._flowing.set()

    def lose_reply(self, doomed: Callable[[bytes], bool]) -> asyncio.Event:
        """Let the next request that is `doomed` reach the server, and break its connection instead of the reply.

        Returns an event that is set when that has happened.
        """
        self._doomed = doomed
        self._lost = asyncio.Event()
        return self._lost

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._flowing.set()
        self._server.close()
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError):
            server, to_server = await asyncio.open_connection("127.0.0.1", self._url.port)
            pair = (to_client, to_server)
            self._pairs.add(pair)
            losing = asyncio.Event()
            try:
                await asyncio.gather(self._up(client, to_server, losing), self._down(server, to_client, losing))
            finally:
                if losing.is_set():
                    self._lost.set()
                self._pairs.discard(pair)
                to_server.transport.abort()
        to_client.transport.abort()

    async def _up(self, client: asyncio.StreamReader, sink: asyncio.StreamWriter, losing: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            while request := await client.read(65536):
                await self._flowing.wait()
                self.requests.append(request)
                if self._doomed is not None and self._doomed(request):
                    self._doomed = None
                    losing.set()
                sink.write(request)
                await sink.drain()
        sink.transport.abort()

    async def _down(self, server: asyncio.StreamReader, sink: asyncio.StreamWriter, losing: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            while reply := await server.read(65536):
                await self._flowing.wait()
                if losing.is_set():
                    break
                sink.write(reply)
                await sink.drain()
        sink.transport.abort()
