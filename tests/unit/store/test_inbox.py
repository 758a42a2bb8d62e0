"""What comes on a connection waits for its reader, who waits no longer than asked."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from stockyard._store.net.inbox import Inbox
from tests.support.waiting import eventually

LARGE = 300_000


class Wire:
    """A connection whose other end is the test's."""

    def __init__(self, transport: asyncio.Transport, inbox: Inbox, other: socket.socket) -> None:
        self.transport, self.inbox, self.other = transport, inbox, other

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.other, data)


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    mine, other = socket.socketpair()
    other.setblocking(False)
    transport, inbox = await asyncio.get_running_loop().create_connection(Inbox, sock=mine)
    yield Wire(transport, inbox, other)
    transport.abort()
    other.close()


async def test_what_came_before_and_what_comes_is_read(wire: Wire) -> None:
    await wire.send(b"one")
    assert await wire.inbox.next(5) == b"one"
    reading = asyncio.ensure_future(wire.inbox.next(None))
    await asyncio.sleep(0)
    await wire.send(b"two")
    assert await reading == b"two"


async def test_a_silence_times_out_each_time_anew(wire: Wire) -> None:
    with pytest.raises(TimeoutError):
        await wire.inbox.next(0.01)
    await wire.send(b"late")
    assert await wire.inbox.next(5) == b"late"
    with pytest.raises(TimeoutError):
        await wire.inbox.next(0.01)


async def test_a_wait_that_was_longer_does_not_prolong_the_next(wire: Wire) -> None:
    reading = asyncio.ensure_future(wire.inbox.next(3_600))
    await asyncio.sleep(0)
    await wire.send(b"soon")
    assert await reading == b"soon"
    with pytest.raises(TimeoutError):
        await wire.inbox.next(0.01)


async def test_a_wait_that_was_shorter_does_not_end_the_next(wire: Wire) -> None:
    loop = asyncio.get_running_loop()
    await wire.send(b"soon")
    reading = asyncio.ensure_future(wire.inbox.next(0.01))
    assert await reading == b"soon"
    began = loop.time()
    with pytest.raises(TimeoutError):
        await wire.inbox.next(0.05)
    # A loop's clock may count whole milliseconds.
    assert loop.time() - began > 0.045


async def test_a_reader_that_gave_up_loses_nothing(wire: Wire) -> None:
    reading = asyncio.ensure_future(wire.inbox.next(5))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await wire.send(b"for the next")
    assert await wire.inbox.next(5) == b"for the next"


async def test_who_sends_more_than_is_read_has_to_wait(wire: Wire) -> None:
    sending = asyncio.ensure_future(wire.send(bytes(20 * LARGE)))
    await eventually(lambda: not wire.transport.is_reading())
    assert not sending.done()
    read = 0
    while read < 20 * LARGE:
        read += len(await wire.inbox.next(5))
    await sending
    assert wire.transport.is_reading()


async def test_what_came_before_the_end_is_read_before_it(wire: Wire) -> None:
    await wire.send(b"last words")
    wire.other.close()
    await eventually(lambda: wire.inbox._has_ended)
    assert not wire.inbox.is_at_end
    assert await wire.inbox.next(5) == b"last words"
    assert wire.inbox.is_at_end
    assert await wire.inbox.next(5) == b""


async def test_a_broken_connection_tells_each_reader(wire: Wire) -> None:
    reading = asyncio.ensure_future(wire.inbox.next(5))
    await asyncio.sleep(0)
    wire.inbox.connection_lost(ConnectionResetError("reset"))
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            await reading
        reading = asyncio.ensure_future(wire.inbox.next(5))
    with pytest.raises(ConnectionResetError):
        await reading


async def test_a_time_out_of_the_system_is_no_time_out_of_a_reader(wire: Wire) -> None:
    wire.inbox.connection_lost(TimeoutError(110, "Connection timed out"))
    with pytest.raises(ConnectionError, match="Connection timed out"):
        await wire.inbox.next(5)
