"""The services behind caches, in a thread of their own."""

import asyncio
import threading

from stockyard.cache.background import Background, _ended


async def test_a_start_does_not_wait_for_the_thread() -> None:
    """The first use of a cache is in a program's own loop, which must go on while the thread is busy."""
    background = Background()
    is_free, is_running = threading.Event(), threading.Event()

    async def busy() -> None:
        is_running.set()
        assert is_free.wait(10)

    async def forever() -> None:
        started.set()
        await asyncio.Event().wait()

    async def nothing() -> None:
        pass

    started = threading.Event()
    background.start("busy", busy)
    assert is_running.wait(10)
    # Its loop stands still: what waits for it here would never return.
    background.start("other", forever)
    background.start("other", forever)
    assert not started.is_set()
    is_free.set()
    assert await asyncio.to_thread(started.wait, 10)
    await asyncio.to_thread(background.close, nothing)


def test_a_close_ends_the_services_and_a_start_runs_them_again() -> None:
    background, ends = Background(), []

    async def service() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("service")

    async def last() -> None:
        ends.append("last")

    for _ in range(2):
        started = threading.Event()
        background.start("service", service)
        assert started.wait(10)
        background.close(last)
    assert ends == ["service", "last"] * 2


async def test_a_close_right_behind_a_start_ends() -> None:
    """Both reach the thread's loop in one turn, in which it has not said yet that the service's task is made."""
    background = Background()
    is_free, is_running, is_ended = threading.Event(), threading.Event(), threading.Event()

    async def busy() -> None:
        is_running.set()
        assert is_free.wait(10)

    async def forever() -> None:
        await asyncio.Event().wait()

    async def last() -> None:
        is_ended.set()

    background.start("busy", busy)
    assert is_running.wait(10)
    background.start("other", forever)
    # As `close` does, but without waiting in between.
    closing = background._portal.submit(_ended(list(background._running.values()), last))
    is_free.set()
    assert await asyncio.to_thread(is_ended.wait, 10)
    await asyncio.wrap_future(closing)
    await asyncio.to_thread(background.close, last)
