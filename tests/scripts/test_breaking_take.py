"""breaking.take: one job is tried while the breaker is open, once its time has come."""

from collections.abc import Callable
from typing import Any

import pytest

from stockyard._store import breaking, halting
from stockyard._store.jobs import managing
from stockyard._store.jobs.finishing import TakeRequest
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, record
from tests.scripts.halts import current, halt
from tests.scripts.test_breaking_fail import fail

DUE = NOW + 60_000
REQUEST = TakeRequest(1, "w:trial1", 30_000, worker="w")


@pytest.fixture
async def due(keyspace_at: Callable[[int], QueueKeyspace], keys: Keyspace) -> QueueKeyspace:
    """The queue when its breaker has been open for long enough."""
    keys.put({"5": record(), "6": record(), "wait": ["6", "5"]})
    for job_id in ("1", "2"):
        await fail(keyspace_at(NOW), job_id)
    return keyspace_at(DUE)


async def take(keyspace: QueueKeyspace) -> tuple[int, list[str]]:
    wait, reply = await breaking.take_trial(keyspace, REQUEST)
    return wait, [record.id for record in reply.records]


async def test_while_it_is_closed_nothing_is_taken(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"5": record(), "wait": ["5"]})
    assert await take(keyspace) == (1000, [])
    assert keys.all() == {"5": record(), "wait": ["5"]}


async def test_before_its_time_nothing_is_taken(
    due: QueueKeyspace, keyspace_at: Callable[[int], QueueKeyspace]
) -> None:
    assert await take(keyspace_at(DUE - 700)) == (700, [])


async def test_one_job_is_taken_and_no_other_beside_it(due: QueueKeyspace, keys: Keyspace) -> None:
    assert await take(due) == (1000, ["5"])
    assert (keys.get("active"), keys.get("wait"), keys.get("5:lock")) == (["5"], ["6"], "w:trial1")
    assert keys.get(":breaker")["trial"] == "5"
    assert keys.get("meta")["paused"] == "1"
    assert await take(due) == (1000, [])


async def test_when_its_worker_died_another_job_is_tried(due: QueueKeyspace, keys: Keyspace) -> None:
    await take(due)
    keys.delete("5:lock")
    assert await take(due) == (1000, ["6"])
    assert keys.get(":breaker")["trial"] == "6"


@pytest.mark.parametrize("hold", ["halt", "pause"])
async def test_what_else_holds_the_queue_holds_its_trials(due: QueueKeyspace, hold: Any) -> None:
    await (halting.apply(due, current(halt())) if hold == "halt" else managing.pause(due))
    assert await take(due) == (1000, [])


async def test_with_nothing_to_try_it_waits(keyspace_at: Callable[[int], QueueKeyspace]) -> None:
    for job_id in ("1", "2"):
        await fail(keyspace_at(NOW), job_id)
    assert await take(keyspace_at(DUE)) == (1000, [])
