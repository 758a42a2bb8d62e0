"""The parent's end of a child's socket: nothing that was sent before the end is lost."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from stockyard.consume.executors.child_pipe import ChildPipe

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine in each kind of loop."""

    def run(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(main)

    return run


async def all_of(pipe: ChildPipe) -> bytes:
    received = bytearray()
    while part := await pipe.receive():
        received += part
    return bytes(received)


def test_what_came_before_a_reset_is_read(run: Run) -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        pipe = await ChildPipe.open(ours)
        pipe.write(b"never read by the other side")
        theirs.sendall(b"last words")
        theirs.close()  # with unread bytes: a reset
        pipe.write(b"to nobody")
        await pipe.drain()
        assert await all_of(pipe) == b"last words"
        pipe.write(b"to nobody")
        assert await pipe.receive() == b""
        pipe.close()

    run(main())


def test_large_frames_go_out_as_the_other_side_reads(run: Run) -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        pipe, other = await ChildPipe.open(ours), await ChildPipe.open(theirs)
        sent = [bytes([number]) * 300_000 for number in range(10)]
        for each in sent:
            pipe.write(each)
        draining = asyncio.create_task(pipe.drain())
        received = bytearray()
        while len(received) < 3_000_000:
            received += await other.receive()
        assert bytes(received) == b"".join(sent)
        await draining
        pipe.close()
        assert await all_of(other) == b""
        other.close()

    run(main())


def test_closing_ends_who_waits_and_drops_what_is_unsent(run: Run) -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        pipe = await ChildPipe.open(ours)
        waiting = asyncio.create_task(pipe.receive())
        pipe.write(b"x" * 10_000_000)
        draining = asyncio.create_task(pipe.drain())
        await asyncio.sleep(0)
        pipe.close()
        pipe.close()
        assert await waiting == b""
        await draining
        pipe.write(b"dropped")
        assert pipe.is_closed
        theirs.close()

    run(main())
