"""A stop takes at most the grace and two seconds, whatever the server, handlers, hooks and children do."""

import asyncio
import signal
from typing import Any

import pytest

from stockyard import Hooks, Job, Worker
from stockyard.consume.options import WorkerSpec
from stockyard.testing.proxy import Proxy
from tests.support.servers import OwnServer
from tests.support.waiting import eventually
from tests.support.yard import Yard

GRACE = 0.3
AT_MOST = GRACE + 2 + 1.5
"""With what a busy machine may add."""


async def stop(worker: Worker) -> None:
    await asyncio.wait_for(worker.stop(grace=GRACE), AT_MOST)


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_the_server_is_frozen(server: OwnServer, concurrency: int) -> None:
    async with Yard(server.url, "t") as yard:
        goes_on = asyncio.Event()
        began = asyncio.Event()

        async def wait(job: Job[Any]) -> None:
            began.set()
            await goes_on.wait()

        await yard.queue().add("x")
        worker = await yard.work(wait, concurrency=concurrency)
        await began.wait()
        server.pause()
        try:
            goes_on.set()
            await stop(worker)
        finally:
            server.resume()


async def test_the_server_is_gone_while_the_worker_waits_for_it(server: OwnServer) -> None:
    async with Yard(server.url, "t") as yard:
        yard.queue()
        idle = await yard.work(lambda job: None, executor="thread")
        server.kill()
        await stop(idle)
        early = yard.app.worker("q", lambda job: None, handle_signals=False, grace=GRACE)
        running = asyncio.create_task(early.run())
        await eventually(lambda: any("no server" in check.detail for check in early.health_checks()), within=25)
        await stop(early)
        await asyncio.wait_for(running, AT_MOST)
        server.start()


async def test_the_link_is_silent(server: OwnServer, proxy: Proxy) -> None:
    async with Yard(proxy.url, "t") as yard:
        await yard.queue().add("x")
        done = asyncio.Event()

        async def note(job: Job[Any]) -> None:
            done.set()

        worker = await yard.work(note)
        await done.wait()
        proxy.hold()
        await stop(worker)
        proxy.release()


async def test_a_handler_ignores_its_cancellation(server: OwnServer) -> None:
    async with Yard(server.url, "t") as yard:
        goes_on = asyncio.Event()
        began = asyncio.Event()

        async def stubborn(job: Job[Any]) -> None:
            began.set()
            while not goes_on.is_set():
                try:
                    await goes_on.wait()
                except asyncio.CancelledError:
                    continue

        await yard.queue().add("x")
        worker = await yard.work(stubborn)
        await began.wait()
        try:
            await stop(worker)
        finally:
            goes_on.set()


async def test_a_hook_hangs(server: OwnServer) -> None:
    began = asyncio.Event()

    async def hang(*_: object) -> None:
        began.set()
        await asyncio.Event().wait()

    async with Yard(server.url, "t") as yard:
        await yard.queue().add("x")
        worker = await yard.work(lambda job: None, executor="thread", hooks=Hooks(completed=hang))
        await began.wait()
        await stop(worker)


async def test_a_child_process_ignores_signals_and_works_on(server: OwnServer) -> None:
    async with Yard(server.url, "t") as yard:
        job = await yard.queue().add("x")
        worker = await yard.work(deaf_child, executor="process", concurrency=2)
        await eventually(lambda: _progress(job), within=60)
        await stop(worker)
        assert (await job.refresh()).attempts_made == 0


def deaf_child(job: Job[Any]) -> None:
    """Ignore every signal that can be ignored, and never end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    job.sync.update_progress(1)
    while True:
        signal.pause()


async def _progress(job: Job[Any]) -> bool:
    return bool((await job.refresh()).progress == 1)


def test_the_default_fits_into_the_time_that_kubernetes_gives() -> None:
    assert WorkerSpec().grace_ms + 2000 < 30_000
