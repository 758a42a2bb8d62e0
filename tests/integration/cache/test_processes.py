"""Several processes and one key: one load, whose lock lives as long as its holder and no longer."""

import signal

import pytest
import redis

from stockyard import App
from tests.integration.cache.conftest import Start
from tests.integration.cache.programs import LOCK_SECONDS, Notes
from tests.support.waiting import eventually


@pytest.fixture
def notes(raw: "redis.Redis", prefix: str) -> Notes:
    return Notes(raw, prefix)


def test_200_callers_over_4_processes_are_one_load(start: Start, notes: Notes) -> None:
    processes = [start("ask", 50, 1.5) for _ in range(4)]
    answers = [answer for each in processes for answer in each.answer()]
    (loader,) = notes.of("loaded")
    assert answers == [str(loader)] * 200


@pytest.mark.parametrize("program", ["load_deaf", "load_slowly"])
def test_a_loader_that_outlives_its_lock_is_not_joined_by_a_second(
    start: Start, notes: Notes, program: str
) -> None:
    first = start(program, 3 * LOCK_SECONDS)
    others = [start("ask", 5, 0), start("load_slowly", 0)]
    answers = {answer for each in [first, *others] for answer in each.answer()}
    (loader,) = notes.of("loaded")
    assert answers == {str(loader)}


async def test_the_lock_of_a_killed_holder_is_freed(start: Start, notes: Notes, app: App) -> None:
    holder = start("load_slowly", 60)
    await eventually(lambda: notes.of("loaded"))
    cache = app.cache("c", int)
    holder.send(signal.SIGKILL)

    async def load() -> int:
        return 7

    assert await cache.get_or_set("k", load) == 7
    assert cache.stats().waits == 1
    assert notes.of("ended") == []


async def test_a_frozen_holder_loses_its_lock_and_does_not_overwrite_what_is_newer(
    start: Start, notes: Notes, app: App
) -> None:
    holder = start("load_slowly", 3 * LOCK_SECONDS)
    await eventually(lambda: notes.of("loaded"))
    holder.send(signal.SIGSTOP)
    cache = app.cache("c", int)

    async def load() -> int:
        return 7

    try:
        assert await cache.get_or_set("k", load) == 7
    finally:
        holder.send(signal.SIGCONT)
    assert holder.answer() == [str(holder.pid), "7"]
    assert await cache.get("k") == 7
