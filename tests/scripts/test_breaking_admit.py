"""breaking.admit: the trial of a queue whose jobs call an exchange is admitted by its limits."""

from collections.abc import Callable
from typing import Any

import pytest

from stockyard._store import breaking
from stockyard._store.jobs.admitting import take_limits
from stockyard._store.jobs.finishing import LimitedTakeRequest
from stockyard._store.keyspace import QueueKeyspace
from stockyard.model.limit import Fixed
from stockyard.model.limit_use import LimitUse
from stockyard.model.limits import Limits
from stockyard.model.options import JobOptions
from tests.scripts.conftest import NOW, Keyspace, record
from tests.scripts.test_breaking_fail import fail

DUE = NOW + 60_000


@pytest.fixture
async def due(keyspace_at: Callable[[int], QueueKeyspace], keys: Keyspace) -> QueueKeyspace:
    """The queue when its breaker has been open for long enough."""
    keys.put({"5": record(), "6": record(), "wait": ["6", "5"]})
    for job_id in ("1", "2"):
        await fail(keyspace_at(NOW), job_id)
    return keyspace_at(DUE)


async def take(keyspace: QueueKeyspace, most: int = 9) -> tuple[int, list[str]]:
    limits = Limits("x", (Fixed("orders", most, per="10s"),))
    asked: dict[str, Any] = take_limits(
        limits, JobOptions(use=LimitUse(cost=1)), keyspace.keys.naming, "q", egress=""
    )
    request = LimitedTakeRequest(1, "w:trial1", 30_000, limits=asked)
    wait, reply = await breaking.take_trial(keyspace, request)
    return wait, [record.id for record in reply.records]


async def test_one_job_is_taken_and_no_other_beside_it(due: QueueKeyspace, keys: Keyspace) -> None:
    assert await take(due) == (1000, ["5"])
    assert (keys.get("active"), keys.get("wait"), keys.get("5:lock")) == (["5"], ["6"], "w:trial1")
    assert keys.get(":breaker")["trial"] == "5"
    assert await take(due) == (1000, [])


async def test_before_its_time_nothing_is_taken(
    due: QueueKeyspace, keyspace_at: Callable[[int], QueueKeyspace]
) -> None:
    assert await take(keyspace_at(DUE - 700)) == (700, [])


async def test_while_it_is_closed_nothing_is_taken(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"5": record(), "wait": ["5"]})
    assert await take(keyspace) == (1000, [])
    assert keys.all() == {"5": record(), "wait": ["5"]}


async def test_what_the_limits_do_not_admit_waits(due: QueueKeyspace, keys: Keyspace) -> None:
    assert await take(due, most=1) == (1000, ["5"])
    keys.delete("5:lock")
    assert await take(due, most=1) == (1000, [])
    assert keys.get(":breaker")["trial"] == "5"
