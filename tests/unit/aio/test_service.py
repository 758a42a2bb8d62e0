"""Background parts: periodic calls, pauses, stop signals."""

import asyncio
import logging
import os
import signal

import pytest

from stockyard._aio.retry_delay import RetryDelay
from stockyard._aio.service import Periodic
from stockyard._aio.stop_signals import on_stop_signal, stop_signals
from tests.support.waiting import eventually, stays


async def test_a_periodic_call_goes_on_after_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    async def act() -> None:
        calls.append(len(calls))
        if len(calls) == 2:
            raise ValueError("once")

    periodic = Periodic(act, 0.001, name="beat")
    await periodic.stop()
    with caplog.at_level(logging.WARNING, "stockyard"):
        await periodic.start()
        await periodic.start()
        await eventually(lambda: len(calls) > 5)
    await periodic.stop()
    await periodic.stop()
    assert [record.getMessage() for record in caplog.records] == ["beat: once"]
    made = len(calls)
    await stays(lambda: len(calls) == made, during=0.02)


async def test_stopping_breaks_off_the_call_in_hand() -> None:
    entered = asyncio.Event()

    async def act() -> None:
        entered.set()
        await asyncio.Event().wait()

    periodic = Periodic(act, 1, name="long")
    await periodic.start()
    await entered.wait()
    await asyncio.wait_for(periodic.stop(), 1)


async def test_pauses_grow_to_a_limit_and_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    retry_delay = RetryDelay(first=1, longest=4)
    for _ in range(4):
        await retry_delay.wait()
    retry_delay.reset()
    await retry_delay.wait()
    for pause, base in zip(slept, [1, 2, 4, 4, 1], strict=True):
        assert base / 2 <= pause <= base * 1.5


async def test_every_listener_hears_a_signal_until_it_ends() -> None:
    heard: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    end_first = on_stop_signal(lambda: heard.append("first"))
    end_second = on_stop_signal(lambda: heard.append("second"))
    os.kill(os.getpid(), signal.SIGTERM)
    await eventually(lambda: heard == ["first", "second"])
    end_first()
    end_first()
    os.kill(os.getpid(), signal.SIGINT)
    await eventually(lambda: heard == ["first", "second", "second"])
    end_second()
    assert signal.getsignal(signal.SIGTERM) == before


async def test_a_block_is_told_of_a_signal_by_an_event() -> None:
    heard: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals(lambda: heard.append("asked")) as stopped, stop_signals() as other:
        assert not stopped.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(stopped.wait(), 10)
        assert heard == ["asked"]
        assert other.is_set()
    assert signal.getsignal(signal.SIGTERM) == before


async def test_a_thread_hears_no_signals_and_does_not_mind() -> None:
    async def listen() -> None:
        on_stop_signal(lambda: None)()

    await asyncio.to_thread(asyncio.run, listen())
