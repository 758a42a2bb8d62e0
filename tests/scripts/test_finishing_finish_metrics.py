"""finishing.finish: how many jobs ended in each minute, as peers count one job after the other."""

import asyncio
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from stockyard._store.jobs.finishing import EndedRun, TakeRequest, finish_and_take
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.server import Server
from stockyard.config import Settings
from stockyard.model.clock import SteppedClock
from stockyard.model.naming import Naming
from stockyard.model.outcome import Completed, Failed, Retried
from tests.scripts.conftest import NOW, Keyspace
from tests.scripts.runs import DONE, running

NO = Failed("no", (), 1, None)
MINUTE = 60_000


async def end(keyspace: QueueKeyspace, keys: Keyspace, *outcomes: Any, metrics: int = 10) -> None:
    """Let jobs end so in one call."""
    for job_id, _ in enumerate(outcomes, 1):
        keys.put(running(f"j{job_id}"))
    ended = [EndedRun(f"j{job_id}", "w:1", outcome) for job_id, outcome in enumerate(outcomes, 1)]
    done = await finish_and_take(keyspace, ended, TakeRequest(0, "", 30_000, metrics=metrics))
    assert done.codes == [0] * len(ended)


async def test_the_first_count_begins_a_minute(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await end(keyspace, keys, DONE, NO, DONE, Completed("1", True))
    assert keys.get("metrics:completed") == {"count": "3", "prevTS": str(NOW), "prevCount": "0"}
    assert keys.get("metrics:failed") == {"count": "1", "prevTS": str(NOW), "prevCount": "0"}
    assert keys.get("metrics:completed:data") is None


async def test_what_is_tried_again_has_not_ended(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await end(keyspace, keys, Retried("no", (), 0, False))
    assert keys.get("metrics:failed") is None


async def test_nothing_is_counted_unasked(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await end(keyspace, keys, DONE, metrics=0)
    assert keys.get("metrics:completed") is None


@pytest.mark.parametrize(
    ("minutes", "points", "counted"),
    [
        (0, None, ("5", str(NOW), "2")),
        (-3, None, ("5", str(NOW), "2")),
        (1, ["1", "7"], ("5", "later", "3")),
        (3, ["0", "0", "1", "7"], ("5", "later", "3")),
        (6, ["0", "0", "0", "0", "1"], ("5", "later", "3")),
    ],
)
async def test_a_new_minute_closes_the_last(
    keyspace_at: Callable[[int], QueueKeyspace],
    keys: Keyspace,
    minutes: int,
    points: list[str] | None,
    counted: tuple[str, str, str],
) -> None:
    keys.put({"metrics:completed": {"count": 3, "prevTS": NOW, "prevCount": 2}, "metrics:completed:data": ["7"]})
    later = NOW + minutes * MINUTE
    await end(keyspace_at(later), keys, DONE, DONE, metrics=5)
    count, since, before = counted
    since = str(later) if since == "later" else since
    assert keys.get("metrics:completed") == {"count": count, "prevTS": since, "prevCount": before}
    assert keys.get("metrics:completed:data") == (points or ["7"])


async def test_a_long_silence_is_as_long_as_what_is_kept(
    keyspace_at: Callable[[int], QueueKeyspace], keys: Keyspace
) -> None:
    keys.put({"metrics:completed": {"count": 3, "prevTS": NOW, "prevCount": 0}})
    await end(keyspace_at(NOW + 30_000 * MINUTE), keys, DONE, metrics=20_160)
    assert keys.get("metrics:completed:data") == ["0"] * 20_159 + ["3"]


async def test_a_broken_count_costs_no_end(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"metrics:completed": "no hash"})
    await end(keyspace, keys, DONE)
    assert keys.get("completed") == {"j1": NOW}


def one_by_one(ends: list[int], kept: int) -> tuple[int, int, int, list[int]]:
    """The protocol's own words for a sequence of ends: count, previous time and count, points."""
    count, since, before, points = 0, 0, 0, list[int]()
    for now in ends:
        count += 1
        if not since:
            since = now
            continue
        passed = min(now // MINUTE - since // MINUTE, kept)
        if passed > 0:
            points = ([0] * (passed - 1) + [count - 1 - before, *points])[:kept]
            before, since = count - 1, now
    return count, since, before, points


@settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(calls=st.lists(st.tuples(st.integers(0, 200_000), st.integers(1, 4)), min_size=1, max_size=8))
def test_ends_of_one_call_count_like_ends_one_by_one(
    redis_url: str, prefix: str, raw: Any, calls: list[tuple[int, int]]
) -> None:
    async def run() -> None:
        server = Server(Settings.load(redis_url, dotenv=None).address)
        clock, ends = SteppedClock(NOW), list[int]()
        keyspace = QueueKeyspace(server, Naming(prefix), "q", clock=clock)
        for pause, number in calls:
            clock.step(pause)
            ends += [clock()] * number
            await end(keyspace, Keyspace(raw, keyspace.base), *[DONE] * number, metrics=3)
        keys = Keyspace(raw, keyspace.base)
        found = {name: int(text) for name, text in keys.get("metrics:completed").items()}
        points = [int(each) for each in keys.get("metrics:completed:data") or []]
        assert (found["count"], found["prevTS"], found["prevCount"], points) == one_by_one(ends, 3)
        await server.aclose()

    for key in raw.scan_iter(f"{prefix}*", count=1000):
        raw.delete(key)
    asyncio.run(run())
