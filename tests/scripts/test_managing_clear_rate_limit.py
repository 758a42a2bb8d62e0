"""managing.clear_rate_limit: a new window of the rate limit begins."""

from typing import Any

import pytest

from stockyard._store.jobs import managing
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import Keyspace, Sorted


@pytest.mark.parametrize("waiting", [{"wait": ["1"]}, {"prioritized": Sorted({"1": 1})}])
async def test_the_limit_goes_and_a_worker_is_woken(
    keyspace: QueueKeyspace, keys: Keyspace, waiting: dict[str, Any]
) -> None:
    keys.put({"limiter": "9", **waiting})
    assert await managing.clear_rate_limit(keyspace)
    assert keys.all() == {**waiting, "marker": Sorted({"0": 0})}


async def test_nobody_is_woken_for_nothing(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"limiter": "9"})
    await managing.clear_rate_limit(keyspace)
    assert keys.all() == {}
    assert not await managing.clear_rate_limit(keyspace)


async def test_a_paused_queue_sleeps_on(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"limiter": "9", "wait": ["1"], "meta": {"paused": "1"}})
    await managing.clear_rate_limit(keyspace)
    assert keys.all() == {"wait": ["1"]}
