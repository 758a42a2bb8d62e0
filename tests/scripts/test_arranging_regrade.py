"""arranging.regrade: jobs that wait by BullMQ's own score are given that of their queue's aging."""

from collections.abc import Callable

import pytest

from stockyard._store.jobs import arranging
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted

CLASS = 2**32
STEP = 30_000


def aged(priority: int, moment: int = NOW * 1000, step: int = STEP) -> float:
    """The score of a job that came to wait at a moment, in µs."""
    return float(moment + priority * step * 1000 - 2**53)


async def test_they_keep_their_order_and_count_from_now(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(
        {"prioritized": Sorted({"b": 5 * CLASS + 8, "a": 5 * CLASS + 7, "c": 15 * CLASS, "old": aged(15, 7)})}
    )
    assert await arranging.regrade(keyspace, STEP) == 3
    moment = NOW * 1000
    assert keys.all() == {
        "prioritized": Sorted(
            {"a": aged(5, moment), "b": aged(5, moment + 1), "c": aged(15, moment + 2), "old": aged(15, 7)}
        ),
        ":aged": str(moment + 2),
    }
    assert await arranging.regrade(keyspace, STEP) == 0


async def test_nothing_is_written_where_there_are_none(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await arranging.regrade(keyspace, STEP) == 0
    assert keys.all() == {}
    keys.put({"prioritized": Sorted({"a": aged(5)})})
    assert await arranging.regrade(keyspace, STEP) == 0
    assert keys.all() == {"prioritized": Sorted({"a": aged(5)})}


async def test_they_are_behind_those_that_came_before_them(
    keyspace_at: Callable[[int], QueueKeyspace], keys: Keyspace
) -> None:
    """Also by a clock that is behind, or was put back; one that was far ahead is not caught up with."""
    keys.put({"prioritized": Sorted({"a": CLASS}), ":aged": str((NOW + 60_000) * 1000)})
    assert await arranging.regrade(keyspace_at(NOW), STEP) == 1
    assert keys.get("prioritized") == Sorted({"a": aged(1, (NOW + 60_000) * 1000 + 1)})
    keys.put({"prioritized": Sorted({"b": CLASS}), ":aged": str((NOW + 7_200_000) * 1000)})
    assert await arranging.regrade(keyspace_at(NOW), STEP) == 1
    assert keys.get("prioritized")["b"] == aged(1)


@pytest.mark.parametrize("priority", [0, 2_097_151])
async def test_the_ends_of_the_range(keyspace: QueueKeyspace, keys: Keyspace, priority: int) -> None:
    """What moves a job to the front has the score of its priority alone; none is above those of BullMQ."""
    keys.put({"prioritized": Sorted({"a": priority * CLASS})})
    assert await arranging.regrade(keyspace, 86_400_000) == 1
    assert keys.get("prioritized") == Sorted({"a": min(aged(priority, step=86_400_000), -1)})


async def test_one_call_does_so_many(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    most = arranging.MOST_REGRADED
    keys.put({"prioritized": Sorted({f"{number}": CLASS + number for number in range(most + 5)})})
    assert [await arranging.regrade(keyspace, STEP) for _ in range(3)] == [most, 5, 0]
    ids = sorted(keys.get("prioritized"), key=keys.get("prioritized").get)
    assert ids == [str(number) for number in range(most + 5)]
