"""A TCP proxy before a server: it cuts, silences, holds and delays connections, and loses replies on cue."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Literal, Self
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from stockyard.testing.waiting import eventually

Loss = Literal["cut", "half", "silence"]
"""How a reply is lost: the connection breaks in its place, or behind half of it, or carries nothing more."""


class Proxy:
    """Forwards to a server on localhost; use it as ``async with Proxy(server.url) as proxy``.

    Attributes:
        requests: every piece of bytes that a client sent, in order of arrival.
        delay: seconds that each piece is held back, in either direction.
        rate: bytes per second of the link, for all connections together in either direction; 0 for no limit.

    Args:
        url: of the server: with a TCP port of localhost, or ``unix://`` with the path of its socket.
    """

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._listener: socket.socket | None = None
        self._port = 0
        self._wires: set[_Wire] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._over = asyncio.Event()
        self._chosen: Callable[[bytes], bool] | None = None
        self._loss: Loss = "cut"
        self._lost = asyncio.Event()
        self.requests: list[bytes] = []
        self.delay = 0.0
        self.rate = 0.0
        self._free_at = {"up": 0.0, "down": 0.0}

    @property
    def url(self) -> str:
        """The URL that leads through it."""
        login, at, _ = self._url.netloc.rpartition("@")
        url = self._url._replace(netloc=f"{login}{at}127.0.0.1:{self.port}")
        if url.scheme == "unix":
            database = dict(parse_qsl(url.query)).get("db", "0")
            url = url._replace(scheme="redis", path=f"/{database}", query="")
        return urlunsplit(url)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._port

    def aim(self, url: str) -> None:
        """Lead new connections to another server."""
        self._url = urlsplit(url)

    def cut(self) -> None:
        """Break every connection; new ones are served."""
        for wire in list(self._wires):
            wire.abort()

    def silence(self, sent: Callable[[bytes], bool] = bool) -> int:
        """Let open connections stay open and carry nothing more, as if a cable were cut; new ones are served.

        Neither side learns when the other one hangs up.

        Args:
            sent: which connections, by all that each has sent. Defaults to all that sent anything.

        Returns how many.
        """
        chosen = [wire for wire in self._wires if not wire.is_silent and sent(b"".join(wire.sent))]
        for wire in chosen:
            wire.is_silent = True
        return len(chosen)

    @property
    def is_listening(self) -> bool:
        """Whether new connections are served."""
        return self._listener is not None

    async def refuse(self) -> None:
        """Break every connection and listen no more, until ``accept``."""
        self._stop_listening()
        self.cut()

    async def accept(self) -> None:
        """Listen again on the same port."""
        self._listen()

    def hold(self) -> None:
        """Forward nothing, in neither direction, though connections stay open."""
        self._flowing.clear()

    def release(self) -> None:
        """Forward again, first what was held back."""
        self._flowing.set()

    def lose_reply(self, chosen: Callable[[bytes], bool], how: Loss = "cut") -> asyncio.Event:
        """Let the next request that is ``chosen`` reach the server, and its reply not come back.

        Args:
            chosen: which request.
            how: instead of the reply the connection breaks, it breaks behind half of the reply, or it is silent
                from then on. Defaults to ``"cut"``.

        Returns an event that is set when that has happened.
        """
        self._chosen, self._loss, self._lost = chosen, how, asyncio.Event()
        return self._lost

    async def __aenter__(self) -> Self:
        self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._flowing.set()
        self._over.set()
        self._stop_listening()
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _listen(self) -> None:
        # Not asyncio.start_server: on Python 3.11 its close leaves a connection open that it is just accepting.
        listener = socket.create_server(("127.0.0.1", self._port))
        listener.setblocking(False)
        # What the link has not carried yet is seen by the sender as not received.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        self._listener, self._port = listener, listener.getsockname()[1]
        asyncio.get_running_loop().add_reader(listener.fileno(), self._accept, listener)

    def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            asyncio.get_running_loop().remove_reader(listener.fileno())
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            connection, _ = listener.accept()
            # Known from the first moment on, so that the end waits for it.
            task = asyncio.get_running_loop().create_task(self._serve(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket) -> None:
        client, to_client = await asyncio.open_connection(sock=connection)
        with contextlib.suppress(OSError):
            server, to_server = await self._connect()
            wire = _Wire(to_client, to_server)
            self._wires.add(wire)
            try:
                if self._over.is_set():
                    return
                await asyncio.gather(self._up(client, wire), self._down(server, wire))
            finally:
                wire.lost.set()
                self._wires.discard(wire)
                wire.abort()
        to_client.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._url.scheme == "unix":
            return await asyncio.open_unix_connection(self._url.path)
        return await asyncio.open_connection("127.0.0.1", self._url.port)

    async def _up(self, client: asyncio.StreamReader, wire: _Wire) -> None:
        lane = _Lane(wire.to_server)
        with contextlib.suppress(OSError):
            while request := await client.read(65536):
                await self._flowing.wait()
                if wire.is_silent:
                    continue
                self.requests.append(request)
                wire.sent.append(request)
                await self._pace("up", request)
                if self._chosen is not None and self._chosen(request):
                    self._chosen = None
                    wire.loss, wire.lost = self._loss, self._lost
                await lane.send(request, self.delay)
        await self._disconnect(wire)

    async def _down(self, server: asyncio.StreamReader, wire: _Wire) -> None:
        lane = _Lane(wire.to_client)
        with contextlib.suppress(OSError):
            while reply := await server.read(65536):
                await self._flowing.wait()
                if wire.loss == "silence":
                    wire.is_silent = True
                    wire.lost.set()
                elif wire.loss is not None:
                    if wire.loss == "half":
                        await lane.send(reply[: len(reply) // 2], 0)
                        await wire.flush()
                    break
                if not wire.is_silent:
                    await self._pace("down", reply)
                    await lane.send(reply, self.delay)
        # What is held back includes the end of the server's side.
        await self._flowing.wait()
        await self._disconnect(wire)

    async def _pace(self, way: str, piece: bytes) -> None:
        """Return when the link has carried this piece."""
        if self.rate:
            now = asyncio.get_running_loop().time()
            self._free_at[way] = max(self._free_at[way], now) + len(piece) / self.rate
            await asyncio.sleep(self._free_at[way] - now)

    async def _disconnect(self, wire: _Wire) -> None:
        """One side has ended: end the other, unless the cable is cut."""
        if wire.is_silent:
            await self._over.wait()
        wire.abort()


class _Wire:
    """A connection of a client and the one behind it."""

    def __init__(self, to_client: asyncio.StreamWriter, to_server: asyncio.StreamWriter) -> None:
        self.to_client = to_client
        self.to_server = to_server
        self.sent: list[bytes] = []
        self.is_silent = False
        self.loss: Loss | None = None
        self.lost = asyncio.Event()

    def abort(self) -> None:
        self.to_client.transport.abort()
        self.to_server.transport.abort()

    async def flush(self) -> None:
        """Return when the client's side of the system has what was written."""
        transport = self.to_client.transport
        await eventually(lambda: transport.is_closing() or not transport.get_write_buffer_size(), within="25s")


class _Lane:
    """One direction of a wire: pieces arrive in order, however the delay changes."""

    def __init__(self, sink: asyncio.StreamWriter) -> None:
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._last_due = 0.0

    async def send(self, piece: bytes, delay: float) -> None:
        now = self._loop.time()
        if delay == 0 and self._last_due < now:
            self._sink.write(piece)
            await self._sink.drain()
            return
        # Never at the same instant as the one before: the order of such timers is not promised.
        self._last_due = max(now + delay, self._last_due + 1e-5)
        self._loop.call_at(self._last_due, self._sink.write, piece)
