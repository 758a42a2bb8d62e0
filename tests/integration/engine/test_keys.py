"""Order per key: jobs of one key one at a time in the order added, keys beside each other, parked keys."""

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

from stockyard import App, Job, Queue, Topology
from stockyard.errors import InvalidOption, QueueStateError
from stockyard.model.job import JobState
from stockyard.model.key_order import KeyState
from tests.support.waiting import eventually


class Desk:
    """A queue with keys, a handler that keeps what it ran, and a worker."""

    def __init__(self, redis_url: str, prefix: str, **declared: Any) -> None:
        topology = Topology("t")
        topology.queue("signals", **{"ordered": True, "concurrency": 10, **declared})
        self.app = App(topology, redis_url, prefix=prefix)
        self.queue: Queue = self.app.queue("signals")
        self.ran: list[tuple[str, int]] = []
        self.running: Counter[str] = Counter()
        self.together: Counter[str] = Counter()
        self.gate = asyncio.Event()
        self.gate.set()

    async def handle(self, job: Job[Any]) -> None:
        """Note the run; fail as the payload says: so often, or always."""
        key, number, failures = job.data
        self.running[key] += 1
        self.together[key] = max(self.together[key], self.running[key])
        self.ran.append((key, number))
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
            if job.attempt <= failures:
                raise ValueError(f"{key} {number}")
        finally:
            self.running[key] -= 1

    async def add(self, key: str, *numbers: int, failures: int = 0, **options: Any) -> list[Job[Any]]:
        """Add jobs of a key."""
        return await self.queue.add_many(
            [("signal", [key, number, failures], {"key": key, **options}) for number in numbers]
        )

    def of(self, key: str) -> list[int]:
        """The numbers of a key, in the order of their starts."""
        return [number for each, number in self.ran if each == key]

    async def __aenter__(self) -> "Desk":
        self._worker = self.app.worker("signals", self.handle)
        self._task = asyncio.create_task(self._worker.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.gate.set()
        await self._worker.stop()
        await self._task
        await self.app.aclose()


async def test_jobs_of_one_key_run_one_at_a_time_in_the_order_added(redis_url: str, prefix: str) -> None:
    async with Desk(redis_url, prefix) as desk:
        for number in range(20):
            await asyncio.gather(*(desk.add(key, number) for key in "ABCDE"))
        await eventually(lambda: len(desk.ran) == 100)
        assert {key: desk.of(key) for key in "ABCDE"} == {key: list(range(20)) for key in "ABCDE"}
        assert set(desk.together.values()) == {1}
        await eventually(lambda: desk.queue.count(JobState.COMPLETED))
        await eventually(_nothing_left(desk))


async def test_other_keys_and_jobs_without_one_run_meanwhile(redis_url: str, prefix: str) -> None:
    async with Desk(redis_url, prefix) as desk:
        desk.gate.clear()
        await desk.add("A", *range(5))
        await desk.add("B", *range(5))
        for _ in range(3):
            await desk.queue.add("signal", ["none", 0, 0])
        await eventually(lambda: len(desk.ran) == 5)
        assert sorted(desk.ran) == [("A", 0), ("B", 0), ("none", 0), ("none", 0), ("none", 0)]
        assert (await desk.queue.counts())[JobState.WAITING] == 8
        assert (await desk.queue.count()) == 13
        found = await desk.queue.keys.list()
        assert [(each.key, each.state, each.length) for each in found] == [
            ("A", KeyState.RUNNING, 4),
            ("B", KeyState.RUNNING, 4),
        ]


async def test_a_retry_holds_its_key(redis_url: str, prefix: str) -> None:
    async with Desk(redis_url, prefix, attempts=3, backoff=0.05) as desk:
        await desk.add("A", 0, failures=2)
        await desk.add("A", 1, 2)
        await eventually(lambda: len(desk.ran) == 5)
        assert desk.of("A") == [0, 0, 0, 1, 2]


async def test_a_retry_may_let_the_next_pass(redis_url: str, prefix: str) -> None:
    async with Desk(redis_url, prefix, attempts=2, backoff=0.3, on_retry="pass") as desk:
        await desk.add("A", 0, failures=1)
        await desk.add("A", 1, 2)
        await eventually(lambda: len(desk.ran) == 4)
        assert desk.of("A") == [0, 1, 2, 0]
        assert desk.together["A"] == 1
        await eventually(_nothing_left(desk))


async def test_a_job_that_failed_for_good_is_skipped(redis_url: str, prefix: str) -> None:
    async with Desk(redis_url, prefix) as desk:
        await desk.add("A", 0, failures=1)
        await desk.add("A", 1)
        await eventually(lambda: desk.of("A") == [0, 1])


async def test_a_parked_key_waits_for_a_person(redis_url: str, prefix: str) -> None:
    async with Desk(redis_url, prefix, on_poison="park") as desk:
        keys = desk.queue.keys
        (failed,) = await desk.add("A", 0, failures=1)
        await desk.add("A", 1, 2)
        await desk.add("B", 0)
        await eventually(lambda: _state(desk, "A", KeyState.PARKED))
        await eventually(lambda: desk.of("B") == [0])
        (parked,) = await keys.list("parked")
        assert (parked.key, parked.head, parked.length, parked.reason) == ("A", failed.id, 2, "ValueError: A 0")
        (health,) = await desk.app.health("signals")
        assert (health.parked_keys, health.waiting) == (1, 2)
        with pytest.raises(QueueStateError, match="key 'B' of queue 'signals' is not parked"):
            await keys.resume("B")
        assert desk.of("A") == [0]
        assert await keys.resume("A") == failed.id
        await eventually(lambda: desk.of("A") == [0, 1, 2])
        assert await failed.state() == JobState.FAILED
        await eventually(_nothing_left(desk))


async def test_a_parked_key_goes_on_without_its_failed_job(redis_url: str, prefix: str) -> None:
    async with Desk(redis_url, prefix, on_poison="park") as desk:
        (failed,) = await desk.add("A", 0, failures=1)
        await desk.add("A", 1)
        await eventually(lambda: _state(desk, "A", KeyState.PARKED))
        assert await desk.queue.keys.skip("A") == failed.id
        await eventually(lambda: desk.of("A") == [0, 1])
        assert await desk.queue.get_job(failed.id) is None


async def test_a_parked_key_runs_its_failed_job_again_first(redis_url: str, prefix: str) -> None:
    async with Desk(redis_url, prefix, on_poison="park") as desk:
        (failed,) = await desk.add("A", 0, failures=1)
        await desk.add("A", 1)
        await eventually(lambda: _state(desk, "A", KeyState.PARKED))
        await failed.update_data(["A", 0, 0])
        assert await desk.queue.keys.replay("A") == failed.id
        await eventually(lambda: desk.of("A") == [0, 0, 1])


async def test_a_failed_job_that_is_retried_by_hand_frees_its_key(redis_url: str, prefix: str) -> None:
    async with Desk(redis_url, prefix, on_poison="park") as desk:
        (failed,) = await desk.add("A", 0, failures=1)
        await desk.add("A", 1)
        await eventually(lambda: _state(desk, "A", KeyState.PARKED))
        await failed.update_data(["A", 0, 0])
        await failed.retry(reset_attempts=True)
        await eventually(lambda: desk.of("A") == [0, 0, 1])
        await eventually(_nothing_left(desk))


async def test_a_job_in_a_line_says_where_it_is_and_can_be_removed(redis_url: str, prefix: str) -> None:
    async with Desk(redis_url, prefix) as desk:
        desk.gate.clear()
        jobs = await desk.add("A", *range(4))
        await eventually(lambda: desk.of("A") == [0])
        assert [await job.state() for job in jobs] == [JobState.ACTIVE, *[JobState.WAITING] * 3]
        position = await desk.queue.position(jobs[2].id)
        assert (position.state, position.ahead, position.is_exact) == (JobState.WAITING, 2, False)
        assert list(await desk.queue.keys.waiting("A")) == [job.id for job in jobs[1:]]
        await jobs[1].remove()
        assert (await desk.queue.counts())[JobState.WAITING] == 2
        desk.gate.set()
        await eventually(lambda: desk.of("A") == [0, 2, 3])


async def test_a_key_goes_on_when_its_first_job_is_removed(redis_url: str, prefix: str) -> None:
    async with Desk(redis_url, prefix) as desk:
        await desk.queue.pause()
        first, _ = await desk.add("A", 0, 1)
        await first.remove()
        await desk.queue.resume()
        await eventually(lambda: desk.of("A") == [1], within=5)


async def test_a_drained_queue_has_no_lines(redis_url: str, prefix: str) -> None:
    async with Desk(redis_url, prefix) as desk:
        await desk.queue.pause()
        await desk.add("A", *range(5))
        assert await desk.queue.drain() == 5
        assert await desk.queue.count() == 0
        await eventually(_nothing_left(desk))


async def test_an_obliterated_queue_leaves_nothing(redis_url: str, prefix: str, raw: Any) -> None:
    async with Desk(redis_url, prefix) as desk:
        await desk.queue.pause()
        await desk.add("A", *range(5))
        await desk.add("B", 0, job_id="b:1:2")
        await desk.add("B", 1, job_id="b:1:3")
        await desk.queue.obliterate()
        left = [key for key in raw.scan_iter(f"{prefix}:signals:*") if not key.endswith(":check")]
        assert left == []


async def test_a_fair_queue_runs_so_many_of_a_key_at_a_time(redis_url: str, prefix: str) -> None:
    declared = {"ordered": False, "key_concurrency": 2, "key_weights": {"B": 2}}
    async with Desk(redis_url, prefix, **declared) as desk:
        desk.gate.clear()
        await desk.add("A", *range(6))
        await desk.add("B", *range(6))
        await eventually(lambda: len(desk.ran) == 6)
        desk.gate.set()
        await eventually(lambda: len(desk.ran) == 12)
        assert desk.together == {"A": 2, "B": 4}


async def test_a_key_with_many_jobs_leaves_the_others_their_turn(redis_url: str, prefix: str) -> None:
    async with Desk(redis_url, prefix, concurrency=1) as desk:
        await desk.queue.pause()
        await desk.add("many", *range(2000))
        await desk.queue.add_many([("signal", [f"K{each}", 0, 0], {"key": f"K{each}"}) for each in range(200)])
        await desk.queue.resume()
        await eventually(lambda: len(desk.ran) >= 400, within=60)
        assert {f"K{each}" for each in range(200)} <= {key for key, _ in desk.ran[:400]}
        await desk.queue.pause()


async def test_a_parked_key_with_many_jobs_holds_no_other(redis_url: str, prefix: str) -> None:
    async with Desk(redis_url, prefix, on_poison="park", concurrency=1) as desk:
        await desk.add("A", 0, failures=1)
        await eventually(lambda: _state(desk, "A", KeyState.PARKED))
        await desk.add("A", *range(1, 3000))
        await desk.add("B", 0)
        await eventually(lambda: desk.of("B") == [0], within=10)
        assert desk.ran == [("A", 0), ("B", 0)]


async def test_the_longest_lines_are_listed_then_keys_without_one(redis_url: str, prefix: str) -> None:
    desk = Desk(redis_url, prefix)
    async with desk.app:
        for number in range(30):
            await desk.add(f"K{number:02}", *range(1 + number % 3))
        listed = await desk.queue.keys.list(count=25)
        assert [each.length for each in listed] == [2] * 10 + [1] * 10 + [0] * 5
        assert [each.key for each in listed[:3]] == ["K02", "K05", "K08"]
        assert len({each.key for each in listed}) == 25
        assert len(await desk.queue.keys.list("waiting")) == 30


async def test_readers_see_and_cleaning_removes_the_jobs_in_lines(redis_url: str, prefix: str) -> None:
    desk = Desk(redis_url, prefix)
    async with desk.app:
        await desk.add("A", 1, 2, 3)
        await desk.add("B", 4, 5)
        listed = await desk.queue.get_jobs("waiting", newest_first=False)
        assert len(listed) == await desk.queue.count("waiting") == 5
        assert [each.data[1] for each in listed] == [1, 4, 2, 3, 5]
        assert await desk.queue.clean("waiting", older_than="1h") == []
        assert len(await desk.queue.clean("waiting", limit=4)) == 4
        (left,) = await desk.queue.get_jobs("waiting")
        assert left.data == ["B", 5, 0]
        assert await desk.queue.clean("waiting") == [left.id]
        assert await desk.queue.count("waiting") == 0


async def test_a_job_in_a_line_counts_for_the_oldest_that_waits_unless_its_key_is_parked(
    redis_url: str, prefix: str
) -> None:
    async with Desk(redis_url, prefix, on_poison="park") as desk:
        desk.gate.clear()
        await desk.add("A", 1, failures=1)
        await eventually(lambda: desk.running["A"] == 1)
        before = time.time()
        await desk.add("A", 2)
        await eventually(lambda: _waits_since(desk, before))
        desk.gate.set()
        await eventually(lambda: _state(desk, "A", KeyState.PARKED))
        health = (await desk.app.health())[0]
        assert (health.waiting, health.oldest_waiting_age) == (1, 0.0)


async def _waits_since(desk: Desk, moment: float) -> bool:
    (health,) = await desk.app.health()
    return 0.0 < health.oldest_waiting_age < time.time() - moment + 1


@pytest.mark.parametrize("beside", [{"deduplication": "d"}, {"lifo": True}], ids=["deduplication", "lifo"])
async def test_what_does_not_go_with_a_key(redis_url: str, prefix: str, beside: dict[str, Any]) -> None:
    async with Desk(redis_url, prefix) as desk:
        with pytest.raises(InvalidOption, match=f"cannot have a key together with {next(iter(beside))}"):
            await desk.queue.add("signal", key="A", **beside)


def _nothing_left(desk: Desk) -> Any:
    async def is_empty() -> bool:
        return not await desk.queue.keys.list()

    return is_empty


async def _state(desk: Desk, key: str, state: KeyState) -> bool:
    found = await desk.queue.keys.get(key)
    return found is not None and found.state is state
