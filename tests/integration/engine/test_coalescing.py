"""Jobs of one coalescing key: one waits, with the last payload; beside a running one there is one successor."""

import asyncio
import random
from collections import defaultdict
from typing import Any

import pytest
import redis

from stockyard import AddOptions, Hooks, InvalidOption, Job, JobState, PayloadError
from stockyard.events import CoalescedEvent
from stockyard.topology import Coalesce
from tests.support.waiting import eventually
from tests.support.yard import Yard


class Seen:
    """What a handler was given."""

    def __init__(self) -> None:
        self.jobs: list[Job[Any]] = []
        self.go_on = asyncio.Event()

    async def note(self, job: Job[Any]) -> None:
        self.jobs.append(job)

    async def hold(self, job: Job[Any]) -> None:
        self.jobs.append(job)
        await self.go_on.wait()

    @property
    def data(self) -> list[Any]:
        return [job.data for job in self.jobs]


async def test_the_last_payload_runs_once(yard: Yard) -> None:
    queue = yard.queue(coalesce="latest")
    jobs = [await queue.add("tick", {"price": price}, coalesce="price:BTCUSDT") for price in (1, 2, 3)]
    other = await queue.add("tick", {"price": 9}, coalesce="price:ETHUSDT")
    plain = await queue.add("tick", {"price": 0})
    assert [job.was_added for job in jobs] == [True, False, False]
    assert {job.id for job in jobs} == {jobs[0].id} != {other.id, plain.id}
    assert jobs[2].data == {"price": 3}
    assert (await jobs[0].refresh()).replaced == 2
    seen = Seen()
    await yard.work(seen.note)
    await eventually(lambda: len(seen.jobs) == 3)
    assert seen.data == [{"price": 3}, {"price": 9}, {"price": 0}]
    assert [job.replaced for job in seen.jobs] == [2, 0, 0]
    (health,) = await yard.app.health("q")
    assert health.replaced_total == 2


async def test_beside_a_running_job_there_is_one_successor(yard: Yard) -> None:
    queue = yard.queue(coalesce="latest", concurrency=5)
    seen = Seen()
    await yard.work(seen.hold)
    await queue.add("tick", 1, coalesce="BTC")
    await eventually(lambda: seen.data == [1])
    await queue.pause()
    successors = [await queue.add("tick", number, coalesce="BTC") for number in (2, 3, 4)]
    assert len({job.id for job in successors}) == 1
    assert (await queue.counts())[JobState.WAITING] == 1
    await queue.resume()
    await eventually(lambda: seen.data == [1, 4])
    seen.go_on.set()


async def test_every_view_shows_the_priority_that_the_job_keeps(yard: Yard) -> None:
    queue = yard.queue(coalesce="latest")
    first = await queue.add("tick", 1, coalesce="BTC", priority=10)
    other = await queue.add("tick", 2, coalesce="ETH", priority=5)
    newer = await queue.add("tick", 3, coalesce="BTC", priority=1)
    assert (newer.id, newer.was_added, newer.data) == (first.id, False, 3)
    listed = await queue.get_jobs("prioritized")
    views = [newer, await first.refresh(), await queue.get_job(first.id), *listed]
    priorities = {(job.id, job.priority, job.options.priority) for job in views if job is not None}
    assert priorities == {(first.id, 10, 10), (other.id, 5, 5)}
    seen = Seen()
    await yard.work(seen.note, concurrency=1)
    await eventually(lambda: len(seen.jobs) == 2)
    assert [(job.data, job.options.priority) for job in seen.jobs] == [(2, 5), (3, 10)]


async def test_a_failed_attempt_yields_to_its_successor(yard: Yard) -> None:
    queue = yard.queue(coalesce="latest", attempts=3)
    seen = Seen()
    retried: list[str] = []

    async def fail_first(job: Job[Any]) -> None:
        seen.jobs.append(job)
        if job.data == 1:
            await seen.go_on.wait()
            raise ValueError("the first fails")

    await yard.work(fail_first, hooks=Hooks(retried=lambda job, *_: retried.append(job.id)))
    first = await queue.add("tick", 1, coalesce="BTC")
    await eventually(lambda: seen.data == [1])
    second = await queue.add("tick", 2, coalesce="BTC")
    seen.go_on.set()
    await eventually(lambda: seen.data == [1, 2])
    assert retried == [first.id]
    assert await queue.get_job(first.id) is None
    assert (await second.refresh()).replaced == 1


async def test_many_are_added_and_retried_in_bulk(yard: Yard) -> None:
    queue = yard.queue(coalesce=Coalesce(mode="max", field="seq"), attempts=1, remove_on_fail=False)
    jobs = await queue.add_many([("tick", {"seq": seq}, {"coalesce": "BTC"}) for seq in (5, 9, 7)])
    assert [job.was_added for job in jobs] == [True, False, False]
    assert [job.data["seq"] for job in jobs] == [5, 9, 9]

    async def fail(job: Job[Any]) -> None:
        raise ValueError

    worker = await yard.work(fail)
    await eventually(lambda: _is(queue, failed=1))
    await worker.stop()
    newer = await queue.add("tick", {"seq": 1}, coalesce="BTC")
    assert newer.was_added
    assert await queue.retry_all() == 1
    assert [(job.id, job.data, job.replaced) for job in await queue.get_jobs("waiting")] == [
        (newer.id, {"seq": 9}, 3)
    ]


async def _is(queue: Any, **numbers: int) -> bool:
    counts = await queue.counts()
    return all(counts[JobState(state)] == number for state, number in numbers.items())


async def test_each_replacement_is_announced(yard: Yard) -> None:
    queue = yard.queue(coalesce="merge")
    await queue.add("tick", {"bid": 1}, coalesce="BTC")
    async with yard.app.events("q", after="0-0", only=[CoalescedEvent]) as events:
        job = await queue.add("tick", {"ask": 2}, coalesce="BTC")
        event = await anext(aiter(events))
        assert isinstance(event, CoalescedEvent)
        assert (event.job_id, event.replaced, job.data) == (job.id, 1, {"bid": 1, "ask": 2})


async def test_a_payload_that_does_not_fit_the_mode_is_refused(yard: Yard) -> None:
    queue = yard.queue(coalesce="latest")
    merge = Coalesce("BTC", mode="merge")
    await queue.add("tick", {"bid": 1}, coalesce=merge)
    with pytest.raises(PayloadError, match="must each be a JSON object"):
        await queue.add("tick", [1], coalesce=merge)
    with pytest.raises(PayloadError, match="a job of another name waits"):
        await queue.add("quote", {}, coalesce="BTC")
    assert [job.data for job in await queue.get_jobs("waiting")] == [{"bid": 1}]


async def test_what_cannot_be_coalesced_is_refused_in_a_sentence(yard: Yard) -> None:
    queue, plain = yard.queue(coalesce="latest"), yard.queue("plain")
    with pytest.raises(InvalidOption, match="queue 'plain' does not coalesce jobs"):
        await plain.add("tick", 1, coalesce="BTC")
    others: tuple[AddOptions, ...] = (
        {"job_id": "own", "coalesce": "BTC"},
        {"deduplication": "BTC", "coalesce": "BTC"},
    )
    for other in others:
        with pytest.raises(InvalidOption, match="exclude each other"):
            await queue.add("tick", 1, **other)
    with pytest.raises(InvalidOption, match="has shards, and coalesce needs one slot"):
        yard.queue("sharded", shards=2, coalesce="latest")


def test_without_a_loop(redis_url: str, prefix: str) -> None:
    yard = Yard(redis_url, prefix)
    queue = yard.queue(coalesce="latest").sync
    first, second = (queue.add("tick", number, coalesce="BTC") for number in (1, 2))
    assert (second.id, second.was_added, second.data) == (first.id, False, 2)
    yard.app.sync.close()


async def test_a_removed_queue_leaves_nothing(yard: Yard, raw: "redis.Redis", prefix: str) -> None:
    queue = yard.queue(coalesce="latest")
    for number in range(4):
        await queue.add("tick", number, coalesce=f"k{number % 2}")
    await queue.obliterate()
    assert list(raw.scan_iter(f"{prefix}:q:*")) == []


@pytest.mark.parametrize(("ticks", "symbols"), [(3000, 50)])
async def test_ticks_of_many_symbols(yard: Yard, raw: "redis.Redis", ticks: int, symbols: int) -> None:
    """At most one job of a symbol waits at any time, and the last price of each is processed."""
    queue = yard.queue(coalesce="latest", concurrency=10)
    last: dict[str, int] = {}
    processed: dict[str, list[int]] = defaultdict(list)
    most = 0

    async def handle(job: Job[Any]) -> None:
        processed[job.data["symbol"]].append(job.data["seq"])

    await yard.work(handle)
    source = random.Random(7)
    for first in range(0, ticks, 250):
        adds = []
        for seq in range(first, min(first + 250, ticks)):
            symbol = f"S{source.randrange(symbols)}"
            last[symbol] = seq
            adds.append(queue.add("tick", {"symbol": symbol, "seq": seq}, coalesce=symbol))
        await asyncio.gather(*adds)
        most = max(most, (await queue.counts())[JobState.WAITING])
    assert most <= symbols
    await eventually(lambda: {symbol: seqs[-1] for symbol, seqs in processed.items()} == last)
    for seqs in processed.values():
        assert max(seqs) == seqs[-1]
