"""Hooks are called in the background: plain functions without a task, coroutines beside each other."""

import asyncio
import logging

import pytest

from stockyard.consume.hooks import Hooks
from stockyard.consume.run.announcer import Announcer


async def test_plain_functions_are_called_in_their_order_without_tasks() -> None:
    called: list[tuple[str, int]] = []
    announcer = Announcer("q", hooks=Hooks())
    before = len(asyncio.all_tasks())
    for number in range(3):
        announcer.call_hook(lambda each: called.append(("plain", each)), number)
    assert called == []
    await announcer.wait()
    assert called == [("plain", 0), ("plain", 1), ("plain", 2)]
    assert len(asyncio.all_tasks()) == before


async def test_one_that_waits_holds_up_no_other_and_is_waited_for() -> None:
    go_on, called = asyncio.Event(), []

    async def slow() -> None:
        await go_on.wait()
        called.append("slow")

    def quick() -> None:
        called.append("quick")
        go_on.set()

    announcer = Announcer("q", hooks=Hooks())
    announcer.call_hook(slow)
    announcer.call_hook(quick)
    await announcer.wait()
    assert called == ["quick", "slow"]


async def test_a_hook_that_calls_for_another_is_followed_by_it() -> None:
    called: list[str] = []
    announcer = Announcer("q", hooks=Hooks())

    def first() -> None:
        called.append("first")
        announcer.call_hook(lambda: called.append("second"))

    announcer.call_hook(first)
    await announcer.wait()
    assert called == ["first", "second"]


@pytest.mark.parametrize("kind", [ValueError, asyncio.CancelledError, KeyboardInterrupt])
async def test_one_that_fails_is_logged_and_the_others_are_called(
    caplog: pytest.LogCaptureFixture, kind: type[BaseException]
) -> None:
    called: list[str] = []

    def broken() -> None:
        raise kind("no")

    async def broken_later() -> None:
        await asyncio.sleep(0)
        raise asyncio.CancelledError("no") if kind is KeyboardInterrupt else kind("no")

    announcer = Announcer("q", hooks=Hooks())
    with caplog.at_level(logging.ERROR):
        announcer.call_hook(broken)
        announcer.call_hook(broken_later)
        announcer.call_hook(lambda: called.append("called"))
        await announcer.wait()
    assert called == ["called"]
    assert [each.getMessage().count("nothing else is changed by it") for each in caplog.records] == [1, 1]
