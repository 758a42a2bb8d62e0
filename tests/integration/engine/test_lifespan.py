"""What opens before workers run and closes after them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from stockyard import ConfigError, Hooks, Job, Topology
from stockyard.consume import lifespan
from tests.support.waiting import eventually
from tests.support.yard import Yard


class Seen(list[str]):
    """What happened, in order."""

    def noting(self, what: str) -> Callable[[], None]:
        return lambda: self.append(what)


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
async def yard(redis_url: str, prefix: str, seen: Seen) -> AsyncIterator[Yard]:
    topology = Topology("test")

    @topology.lifespan
    async def pool() -> AsyncIterator[None]:
        seen.append("pool opens")
        try:
            yield
        finally:
            seen.append("pool closes")

    @topology.lifespan
    @asynccontextmanager
    async def client() -> AsyncIterator[None]:
        seen.append("client opens")
        try:
            yield
        finally:
            seen.append("client closes")

    async with Yard(redis_url, prefix, topology=topology) as made:
        made.queue("a")
        made.queue("b")
        yield made


async def test_it_is_entered_once_around_all_workers(yard: Yard, seen: Seen) -> None:
    async def handle(job: Job[Any]) -> None:
        seen.append(f"runs {job.id}")

    hooks = Hooks(startup=seen.noting("startup"), shutdown=seen.noting("shutdown"))
    first = await yard.work(handle, "a", hooks=hooks)
    second = await yard.work(handle, "b")
    await (await yard.queue("a").add("x")).wait_for_result(10)
    await first.stop()
    assert seen == ["pool opens", "client opens", "startup", "runs 1", "shutdown"]
    await (await yard.queue("b").add("x")).wait_for_result(10)
    await second.stop()
    assert seen[-3:] == ["runs 1", "client closes", "pool closes"]
    await (await yard.work(handle, "a")).stop()
    assert seen.count("pool opens") == 2 == seen.count("pool closes")


async def test_shutdown_comes_after_the_last_job(yard: Yard, seen: Seen) -> None:
    entered = asyncio.Event()

    async def handle(job: Job[Any]) -> None:
        entered.set()
        await asyncio.sleep(0)
        seen.append("ran")

    worker = await yard.work(handle, "a", hooks=Hooks(shutdown=seen.noting("shutdown")))
    await yard.queue("a").add("x")
    await entered.wait()
    await worker.stop()
    assert seen[2:] == ["ran", "shutdown", "client closes", "pool closes"]


@pytest.mark.parametrize("where", ["lifespan", "hook"])
async def test_what_cannot_open_keeps_the_worker_from_starting(yard: Yard, seen: Seen, where: str) -> None:
    async def broken() -> AsyncIterator[None]:
        raise KeyError("no database")
        yield

    async def startup() -> None:
        raise KeyError("no database")

    if where == "lifespan":
        yard.topology.lifespan(broken)
    job = await yard.queue("a").add("x")
    hooks = Hooks(startup=startup if where == "hook" else None)
    with pytest.raises(KeyError, match="no database"):
        await yard.app.worker("a", lambda job: None, hooks=hooks, handle_signals=False).run()
    assert await job.state() == "waiting"
    assert seen == ["pool opens", "client opens", "client closes", "pool closes"]


async def test_what_cannot_close_is_logged_and_the_worker_stops(
    yard: Yard, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifespan, "SHUTDOWN_SECONDS", 0.01)

    async def hang() -> None:
        await asyncio.Event().wait()

    async def broken() -> AsyncIterator[None]:
        yield
        raise KeyError("no end")

    yard.topology.lifespan(broken)
    with caplog.at_level(logging.ERROR, "stockyard"):
        await (await yard.work(lambda job: None, "a")).stop()
        await (await yard.work(lambda job: None, "b", hooks=Hooks(shutdown=hang))).stop()
    await eventually(lambda: "was not closed within 0.01 s" in caplog.text)
    assert "could not be closed" in caplog.text


@pytest.mark.parametrize("wrong", [None, lambda: None, asyncio.sleep])
def test_what_is_no_lifespan_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="an async def with one yield"):
        Topology("t").lifespan(wrong)
