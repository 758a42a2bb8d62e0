"""What opens before workers run and closes after them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from stockyard import ConfigError, Hooks, InvalidOption, Job, Topology
from stockyard.consume import lifespan
from tests.support.waiting import eventually
from tests.support.yard import Yard


async def nothing(job: Job[Any]) -> None:
    """Handle a job."""


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
    await (await yard.queue("a").add("x")).wait_for_result(25)
    await first.stop()
    assert seen == ["pool opens", "client opens", "startup", "runs 1", "shutdown"]
    await (await yard.queue("b").add("x")).wait_for_result(25)
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


@pytest.mark.parametrize("part", ["lifespan", "startup"])
async def test_a_stop_breaks_off_what_opens_for_ever(redis_url: str, prefix: str, seen: Seen, part: str) -> None:
    never = asyncio.Event()
    topology = Topology("test")

    @topology.lifespan
    async def pool() -> AsyncIterator[None]:
        seen.append("pool opens")
        if part == "lifespan":
            await never.wait()
        try:
            yield
        finally:
            seen.append("pool closes")

    async def startup() -> None:
        seen.append("startup")
        await never.wait()

    async with Yard(redis_url, prefix, topology=topology) as yard:
        yard.queue("a")
        worker = yard.app.worker("a", nothing, hooks=Hooks(startup=startup))
        working = asyncio.create_task(worker.run())
        await eventually(lambda: seen[-1:] == ["pool opens" if part == "lifespan" else "startup"])
        await asyncio.wait_for(worker.stop(), 2)
        await asyncio.wait_for(working, 2)
    assert not worker.ready.is_set()
    assert seen == (["pool opens"] if part == "lifespan" else ["pool opens", "startup", "pool closes"])


async def test_a_timeout_of_a_lifespan_is_its_own_error(redis_url: str, prefix: str) -> None:
    topology = Topology("test")

    @topology.lifespan
    async def pool() -> AsyncIterator[None]:
        raise TimeoutError("the database")
        yield

    async with Yard(redis_url, prefix, topology=topology) as yard:
        yard.queue("a")
        with pytest.raises(TimeoutError, match="the database"):
            await yard.app.worker("a", nothing).run()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"middleware": [5]}, r"middleware must be a list of functions.*got \[5\]"),
        ({"middleware": 7}, r"middleware must be a list of functions.*got 7"),
        ({"middleware": "trace"}, "middleware must be a list of functions.*got 'trace'"),
        ({"hooks": {"failed": print}}, "hooks must be Hooks"),
    ],
)
async def test_what_is_no_function_is_refused_before_the_worker_runs(
    yard: Yard, options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InvalidOption, match=complaint):
        yard.app.worker("a", nothing, **options)


def test_a_hook_that_is_no_function_is_refused() -> None:
    with pytest.raises(InvalidOption, match="the hook 'failed' must be a function; got 5"):
        Hooks(failed=5)  # type: ignore[arg-type]


def test_a_hook_that_does_not_exist_is_named_with_the_nearest() -> None:
    with pytest.raises(InvalidOption, match=r"unknown hook 'complete'; did you mean 'completed'\? Known: startup"):
        Hooks(complete=print)  # type: ignore[call-arg]
