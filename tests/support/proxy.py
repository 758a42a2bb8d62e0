"""A TCP proxy before a server: it cuts, silences and delays connections, and loses replies when told to."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Literal, Self
from urllib.parse import urlsplit, urlunsplit

from tests.support.waiting import eventually

Fate = Literal["cut", "half", "silence"]


class Proxy:
    """Forwards to a server on localhost; use it as `async with Proxy(server.url) as proxy`.

    Attributes:
        requests: every piece of bytes that a client sent, in order of arrival.
        delay: seconds that each piece is held back, in either direction.
        rate: bytes per second of the link, for all connections together in either direction; 0 for no limit.

    Args:
        url: of the server, with a TCP port.
    """

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._wires: set[_Wire] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._over = asyncio.Event()
        self._doomed: Callable[[bytes], bool] | None = None
        self._fate: Fate = "cut"
        self._lost = asyncio.Event()
        self.requests: list[bytes] = []
        self.delay = 0.0
        self.rate = 0.0
        self._free_at = {"up": 0.0, "down": 0.0}

    @property
    def url(self) -> str:
        """The URL that leads through it."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        login, at, _ = self._url.netloc.rpartition("@")
        return urlunsplit(self._url._replace(netloc=f"{login}{at}127.0.0.1:{port}"))

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

    def lose_reply(self, doomed: Callable[[bytes], bool], how: Fate = "cut") -> asyncio.Event:
        """Let the next request that is `doomed` reach the server, and its reply not come back.

        Args:
            doomed: which request.
            how: instead of the reply the connection breaks, it breaks behind half of the reply, or it is silent
                from then on. Defaults to ``"cut"``.

        Returns an event that is set when that has happened.
        """
        self._doomed, self._fate, self._lost = doomed, how, asyncio.Event()
        return self._lost

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        # What the link has not carried yet is seen by the sender as not received.
        self._server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._flowing.set()
        self._over.set()
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
            wire = _Wire(to_client, to_server)
            self._wires.add(wire)
            try:
                await asyncio.gather(self._up(client, wire), self._down(server, wire))
            finally:
                wire.lost.set()
                self._wires.discard(wire)
                wire.abort()
        to_client.transport.abort()

    async def _up(self, client: asyncio.StreamReader, wire: "_Wire") -> None:
        lane = _Lane(wire.to_server)
        with contextlib.suppress(OSError):
            while request := await client.read(65536):
                await self._flowing.wait()
                if wire.is_silent:
                    continue
                self.requests.append(request)
                wire.sent.append(request)
                await self._pace("up", request)
                if self._doomed is not None and self._doomed(request):
                    self._doomed = None
                    wire.fate, wire.lost = self._fate, self._lost
                await lane.send(request, self.delay)
        await self._hang_up(wire)

    async def _down(self, server: asyncio.StreamReader, wire: "_Wire") -> None:
        lane = _Lane(wire.to_client)
        with contextlib.suppress(OSError):
            while reply := await server.read(65536):
                await self._flowing.wait()
                if wire.fate == "silence":
                    wire.is_silent = True
                    wire.lost.set()
                elif wire.fate is not None:
                    if wire.fate == "half":
                        await lane.send(reply[: len(reply) // 2], 0)
                        await wire.flush()
                    break
                if not wire.is_silent:
                    await self._pace("down", reply)
                    await lane.send(reply, self.delay)
        await self._hang_up(wire)

    async def _pace(self, way: str, piece: bytes) -> None:
        """Return when the link has carried this piece."""
        if self.rate:
            now = asyncio.get_running_loop().time()
            self._free_at[way] = max(self._free_at[way], now) + len(piece) / self.rate
            await asyncio.sleep(self._free_at[way] - now)

    async def _hang_up(self, wire: "_Wire") -> None:
        """One side has ended; tell the other, unless the cable is cut."""
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
        self.fate: Fate | None = None
        self.lost = asyncio.Event()

    def abort(self) -> None:
        self.to_client.transport.abort()
        self.to_server.transport.abort()

    async def flush(self) -> None:
        """Return when the client's side of the system has what was written."""
        transport = self.to_client.transport
        await eventually(lambda: transport.is_closing() or not transport.get_write_buffer_size(), every=0.001)


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
