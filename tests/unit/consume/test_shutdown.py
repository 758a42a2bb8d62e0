"""Graceful shutdown: its steps in order, each bounded by the grace and what may follow it."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stockyard.consume.shutdown import Shutdown, enter_unless, start_unless


class Parts:
    """A worker's parts that note what is asked of them; ``running`` jobs end when told to, or are handed back."""

    def __init__(self, running: int = 0) -> None:
        self.steps: list[str] = []
        self.running = running
        self.idle = asyncio.Event()
        self.now = asyncio.Event()
        self.listens_to_cancel = True
        self.taking_ends = True
        if not running:
            self.idle.set()

    def shutdown(self) -> Shutdown:
        book = _Book(self)
        return Shutdown(
            "q",
            fetcher=cast(
                "Any",
                SimpleNamespace(
                    stop_taking=self._stop_taking, hand_back_what_comes=self._refuse, flush=self._flush
                ),
            ),
            active=cast("Any", book),
            execution=cast("Any", SimpleNamespace(stop=self._stop_children)),
            announcer=cast("Any", SimpleNamespace(wait=self._hooks)),
            now=self.now,
        )

    async def _stop_taking(self) -> None:
        self.steps.append("stop taking")
        if not self.taking_ends:
            await asyncio.Event().wait()

    def _refuse(self) -> None:
        self.steps.append("refuse")

    async def _flush(self, seconds: float) -> None:
        self.steps.append("write")

    async def _hooks(self) -> None:
        self.steps.append("hooks")

    async def _stop_children(self, seconds: float) -> None:
        self.steps.append("children")


class _Book:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return self._parts.running

    async def wait_idle(self) -> None:
        await self._parts.idle.wait()

    async def hand_back_all(self) -> None:
        self._parts.steps.append("hand back")
        if not self._parts.listens_to_cancel:
            await asyncio.Event().wait()


async def test_an_idle_worker_stops_at_once_in_order() -> None:
    parts = Parts()
    await parts.shutdown().drain(grace=60)
    assert parts.steps == ["stop taking", "refuse", "write", "hooks"]


async def test_running_jobs_may_end_within_the_grace() -> None:
    parts = Parts(running=2)
    draining = asyncio.create_task(parts.shutdown().drain(grace=60))
    while "stop taking" not in parts.steps:
        await asyncio.sleep(0)
    assert not draining.done()
    parts.running = 0
    parts.idle.set()
    await draining
    assert parts.steps == ["stop taking", "refuse", "write", "hooks"]


async def test_what_runs_after_the_grace_is_handed_back_and_then_written() -> None:
    parts = Parts(running=2)
    await parts.shutdown().drain(grace=0)
    assert parts.steps == ["stop taking", "refuse", "hand back", "write", "hooks"]


async def test_a_second_signal_ends_the_grace() -> None:
    parts = Parts(running=1)
    draining = asyncio.create_task(parts.shutdown().drain(grace=3600))
    while "stop taking" not in parts.steps:
        await asyncio.sleep(0)
    parts.now.set()
    await draining
    assert "hand back" in parts.steps


async def test_a_call_that_hangs_and_handlers_that_ignore_their_cancellation_do_not_hold_a_stop_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    parts = Parts(running=1)
    parts.taking_ends = parts.listens_to_cancel = False
    await parts.shutdown().drain(grace=0)
    assert parts.steps == ["stop taking", "refuse", "hand back", "write", "hooks"]
    assert "1 jobs go on though they were cancelled" in caplog.text


async def test_services_stop_before_child_processes() -> None:
    parts = Parts()
    shutdown = parts.shutdown()

    async def service() -> None:
        parts.steps.append("service")

    await shutdown.stop(service(), service())
    assert parts.steps == ["service", "service", "children"]


async def test_a_stop_breaks_off_a_start() -> None:
    asked, cancelled = asyncio.Event(), asyncio.Event()

    async def start() -> None:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    await start_unless(asked, start())
    assert cancelled.is_set()


async def test_a_start_that_fails_says_why() -> None:
    async def start() -> None:
        raise OSError("no such server")

    with pytest.raises(OSError, match="no such server"):
        await start_unless(asyncio.Event(), start())


async def test_entering_says_whether_it_was_broken_off() -> None:
    asked = asyncio.Event()

    async def enter() -> None:
        asked.set()
        await asyncio.Event().wait()

    async def at_once() -> None: ...

    assert await enter_unless(asyncio.Event(), at_once())
    assert not await enter_unless(asked, enter())


async def test_a_time_limit_of_what_is_entered_is_its_own_error() -> None:
    async def enter() -> None:
        raise TimeoutError("the database does not answer")

    with pytest.raises(TimeoutError, match="database"):
        await enter_unless(asyncio.Event(), enter())
