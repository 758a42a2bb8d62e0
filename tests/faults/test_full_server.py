"""A server that is full, configured as `deploy/redis.conf` ships it: the cache gives way, and no queue does."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from stockyard import App, Deduplication, Job, ServerRefused
from stockyard.cli import main
from stockyard.errors import UnsafeServer
from stockyard.trading import PLATFORM, QueueName
from tests.support.documents import ROOT
from tests.support.servers import OwnServer
from tests.support.waiting import eventually, ticks
from tests.support.yard import Yard

SHIPPED = ROOT / "deploy" / "redis.conf"
MEMORY = 48 * 2**20
BUDGET = MEMORY // 4
VALUE = "x" * 32_000
WAITING, PUSHED, HELD, DEDUPLICATED, LIMITED = 22_000, 4_000, 40, 500, 800
PER_SECOND = 200


class Desk:
    """Queues at work, with a cache that is asked for far more than it may hold."""

    def __init__(self, yard: Yard) -> None:
        self.yard = yard
        self.ran: Counter[str] = Counter()
        self.starts: list[float] = []
        self.loaded = 0
        self.is_pressed = True

    async def hold(self, job: Job[Any]) -> None:
        """Run as long as there is pressure."""
        self.ran[f"held {job.id}"] += 1
        await eventually(lambda: not self.is_pressed, within=240, every=0.05)

    async def note(self, job: Job[Any]) -> None:
        self.ran[f"limited {job.id}"] += 1
        self.starts.append(time.monotonic())

    async def press(self) -> None:
        """Ask for popular and unpopular keys alike, until ten times the budget was loaded."""
        cache = self.yard.app.cache("prices", str)

        async def load() -> str:
            self.loaded += len(VALUE)
            return VALUE

        async def ask(chosen: random.Random) -> None:
            while self.loaded < 10 * BUDGET:
                keys = [f"{int(chosen.paretovariate(0.5))}" for _ in range(20)]
                await asyncio.gather(*(cache.get_or_set(key, load) for key in keys))

        await asyncio.gather(*(ask(random.Random(seed)) for seed in range(8)))
        self.is_pressed = False

    async def keep_adding(self) -> int:
        """Add jobs as long as there is pressure, so that what is left for the cache becomes less and less.

        They keep step with the cache: on a machine where it is slow, they must not fill the server alone.
        """
        queue, added = self.yard.queue("waiting"), 0
        async for _ in ticks(0.02):
            if not self.is_pressed:
                break
            if added < PUSHED * self.loaded / (10 * BUDGET):
                await queue.add_many([("x", "y" * 2_000)] * 20)
                added += 20
        return added


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_nothing_of_the_queues_is_lost_and_no_add_refused(
    make_server: Callable[..., OwnServer], capsys: pytest.CaptureFixture[str]
) -> None:
    server = make_server(base=SHIPPED, options={"maxmemory": f"{MEMORY}"})
    fullest, largest = 0.0, 0
    async with Yard(server.url, "t", call_timeout=20) as yard:
        desk = Desk(yard)
        waiting, held = yard.queue("waiting"), yard.queue("held", lock="2s")
        limited = yard.queue("limited", rate=f"{PER_SECOND}/s")
        await waiting.add_many([("x", "y" * 900)] * WAITING)
        owners = [
            await waiting.add("once", deduplication=Deduplication(f"{number}", ttl="1h"))
            for number in range(DEDUPLICATED)
        ]
        await held.add_many([("x", None)] * HELD)
        await limited.add_many([("x", None)] * LIMITED)
        await yard.work(desk.hold, "held", concurrency=HELD)
        await eventually(lambda: len(desk.ran) == HELD)
        await yard.work(desk.note, "limited", concurrency=PER_SECOND)

        adding, pressing = asyncio.create_task(desk.keep_adding()), asyncio.create_task(desk.press())
        with server.client() as client:
            stats: Any = client.info
            while not pressing.done():
                memory = stats("memory")["used_memory"]
                usage = await yard.app.caches.usage()
                fullest, largest = max(fullest, memory / MEMORY), max(largest, *(each.bytes for each in usage), 0)
                assert sum(1 for _ in client.scan_iter("t:held:*:lock", count=5000)) == HELD
                await asyncio.wait([pressing], timeout=0.2)
            await pressing
            added = await adding
            assert stats("stats")["evicted_keys"] == 0
            assert sum(1 for _ in client.scan_iter("t:waiting:de:*", count=5000)) == DEDUPLICATED

        again = [
            await waiting.add("once", deduplication=Deduplication(f"{number}", ttl="1h"))
            for number in range(DEDUPLICATED)
        ]
        assert [job.id for job in again] == [job.id for job in owners]
        assert await waiting.count("waiting") == WAITING + DEDUPLICATED + added
        await eventually(lambda: len(desk.ran) == HELD + LIMITED)
        await eventually(lambda: _all_completed(yard))
        assert set(desk.ran.values()) == {1}
        # A limit that was forgotten would have let them start sooner.
        assert desk.starts[-1] - desk.starts[0] > LIMITED / PER_SECOND - 1 - 0.5
        cache = yard.app.cache("prices").stats()
        assert desk.loaded >= 10 * BUDGET
        assert cache.evictions > 0
    assert largest <= BUDGET
    assert fullest > 0.85
    with capsys.disabled():
        print(
            f"\nfull server: {desk.loaded / BUDGET:.1f} times the budget loaded, hit rate {cache.hit_rate:.1%}, "
            f"{cache.evictions:,} evictions, memory up to {fullest:.0%}; {WAITING + added:,} jobs wait, none lost"
        )


async def nothing(job: Job[Any]) -> None:
    """Handle a job."""


async def _all_completed(yard: Yard) -> bool:
    return (await yard.queue("held").count("completed"), await yard.queue("limited").count("completed")) == (
        HELD,
        LIMITED,
    )


async def test_a_full_server_lets_jobs_start_and_end_once(make_server: Callable[..., OwnServer]) -> None:
    server = make_server(base=SHIPPED)
    async with Yard(server.url, "t") as yard:
        queue, runs, may_end = yard.queue(lock="1s"), Counter[str](), asyncio.Event()

        async def handle(job: Job[str]) -> str:
            runs[job.id] += 1
            await may_end.wait()
            if job.data == "flaky" and job.attempts_made == 0:
                raise ValueError(job.data)
            return job.data

        await queue.add("x", "of a dead worker")
        with server.client() as client:
            client.lmove("t:q:wait", "t:q:active")
        await queue.add_many([("x", data, {"attempts": 2}) for data in ("good", "flaky", "good", "good")])
        await yard.work(handle, concurrency=2)
        await eventually(lambda: len(runs) == 2)
        with server.client() as client:
            memory: Any = client.info("memory")
            client.config_set("maxmemory", memory["used_memory"] - 100_000)
            with pytest.raises(ServerRefused, match=r"the server is full: .* raise maxmemory"):
                await queue.add("x")
            may_end.set()

            async def all_ended() -> bool:
                return await queue.count("completed") == 5

            await eventually(all_ended)
            assert sorted(runs.values()) == [1, 1, 1, 1, 2]
            assert await queue.count("active") == 0
            assert not list(client.scan_iter("t:q:*:lock"))


async def test_on_a_full_server_schedules_go_on_handlers_speak_and_operators_act(
    make_server: Callable[..., OwnServer],
) -> None:
    server = make_server(base=SHIPPED)
    async with Yard(server.url, "t") as yard:
        queue, added = yard.queue(attempts=1), yard.queue("added")
        yard.queue("ticks")
        ran: list[int] = []

        async def tick(job: Job[Any]) -> None:
            ran.append(1)

        async def speak(job: Job[Any]) -> str:
            await job.log("a line")
            await job.update_progress({"half": True})
            await job.update_data("changed")
            return "said"

        async def add(job: Job[Any]) -> str:
            await added.add("x")
            return "added"

        await yard.app.schedules("ticks").upsert("t", every="50ms")
        speaks, adds = await queue.add("speak"), await queue.add("add")

        async def handle(job: Job[Any]) -> str:
            return await (speak if job.name == "speak" else add)(job)

        with server.client() as client:
            memory: Any = client.info("memory")
            client.config_set("maxmemory", memory["used_memory"] - 100_000)
            await yard.work(tick, "ticks")
            await yard.work(handle)
            assert await speaks.wait_for_result(25) == "said"
            ended = await speaks.refresh()
            assert (ended.data, ended.progress, ended.attempts_made) == ("changed", {"half": True}, 1)
            await eventually(lambda: len(ran) >= 5)

            # What is refused is its own handler's business, and costs its job no attempt.
            await eventually(lambda: _is_delayed(adds))
            assert (await adds.refresh()).attempts_made == 0

            await queue.pause()
            assert await queue.is_paused()
            await queue.set_concurrency(3)
            await queue.rate_limit("1m")
            await queue.clear_rate_limit()
            await queue.set_concurrency(None)
            await queue.resume()
            assert await queue.clean("failed") == []
            with pytest.raises(ServerRefused, match="the server is full"):
                await added.add("x")
            client.config_set("maxmemory", 0)
        assert await adds.wait_for_result(25) == "added"
        assert (await adds.refresh()).attempts_made == 1


async def _is_delayed(job: Job[Any]) -> bool:
    return await job.state() == "delayed"


async def test_under_allkeys_lru_the_execution_workers_refuse_and_the_doctor_says_why(
    make_server: Callable[..., OwnServer], capsys: pytest.CaptureFixture[str]
) -> None:
    server = make_server(base=SHIPPED, options={"maxmemory-policy": "allkeys-lru"})
    async with App(PLATFORM, server.url) as app:
        for name in (QueueName.EXECUTION_ORDER_SUBMISSION, QueueName.EXECUTION_RECONCILIATION):
            with pytest.raises(UnsafeServer, match="maxmemory-policy is allkeys-lru"):
                await app.worker(name, nothing, handle_signals=False).run()
        worker = app.worker(QueueName.STRATEGY_SIGNALS, nothing, handle_signals=False)
        running = asyncio.create_task(worker.run())
        await worker.ready.wait()
        await worker.stop()
        await running
    assert await asyncio.to_thread(main, ["doctor", f"--redis-url={server.url}"]) == 1
    said = capsys.readouterr().out
    assert "maxmemory-policy is allkeys-lru" in said
    assert "CONFIG SET maxmemory-policy noeviction" in said


def test_the_doctor_finds_no_danger_under_the_shipped_configuration(
    make_server: Callable[..., OwnServer], capsys: pytest.CaptureFixture[str]
) -> None:
    server = make_server(base=SHIPPED)
    assert main(["doctor", f"--redis-url={server.url}"]) == 0
    said = capsys.readouterr().out
    assert "DANGER" not in said
    assert "WARNING" not in said
