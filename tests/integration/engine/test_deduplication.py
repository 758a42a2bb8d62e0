"""Deduplication as producers meet it: whose id comes back, when an id is free again, and the order of calls."""

import asyncio
from functools import partial
from typing import Any

import pytest
import redis

from stockyard import Deduplication, InvalidOption, Job, JobState, ParentRef, PayloadError
from tests.support.waiting import eventually
from tests.support.yard import Yard


async def test_a_dropped_job_answers_with_the_owner(yard: Yard) -> None:
    queue = yard.queue()
    first = await queue.add("price", 1, deduplication="BTC")
    second = await queue.add("price", 2, deduplication="BTC")
    assert (second.id, (await second.refresh()).data) == (first.id, 1)
    assert (await queue.add("price", 3, deduplication="ETH")).id != first.id
    assert first.options.deduplication == (await first.refresh()).options.deduplication == Deduplication("BTC")


async def test_the_id_is_free_when_its_owner_has_ended(yard: Yard) -> None:
    queue = yard.queue()

    async def end(job: Job[Any]) -> None:
        if job.name == "fail":
            raise RuntimeError

    await yard.work(end)
    for name in ("succeed", "fail"):
        first = await queue.add(name, deduplication="BTC")
        await eventually(partial(_has_ended, first))
        assert (await queue.add(name, deduplication="BTC")).id != first.id
        await eventually(lambda: _is_idle(yard))


async def test_a_window_stays_taken_and_then_ends(yard: Yard) -> None:
    queue = yard.queue()
    ran: list[str] = []

    async def note(job: Job[Any]) -> None:
        ran.append(job.id)

    await yard.work(note)
    window = Deduplication("BTC", "300ms")
    first = await queue.add("price", deduplication=window)
    await eventually(lambda: _has_ended(first))
    assert (await queue.add("price", deduplication=window)).id == first.id

    async def is_added() -> bool:
        return (await queue.add("price", deduplication=window)).id != first.id

    await eventually(is_added)
    await eventually(lambda: len(ran) == 2)


async def test_the_last_of_a_burst_runs_once_it_is_over(yard: Yard) -> None:
    queue = yard.queue()
    ran: list[Any] = []

    async def note(job: Job[Any]) -> None:
        ran.append(job.data)

    await yard.work(note)
    for number in range(10):
        await queue.add(
            "save", number, delay="200ms", deduplication=Deduplication("doc", "200ms", extend=True, replace=True)
        )
    await eventually(lambda: ran)
    await eventually(lambda: _is_idle(yard))
    assert ran == [9]


async def test_the_newest_runs_after_the_one_that_runs(yard: Yard) -> None:
    queue = yard.queue()
    go, ran = asyncio.Event(), list[Any]()

    async def note(job: Job[Any]) -> None:
        ran.append(job.data)
        await go.wait()

    await yard.work(note)
    way = Deduplication("portfolio", keep_last=True)
    first = await queue.add("recalculate", 0, deduplication=way)
    await eventually(lambda: ran)
    assert {(await queue.add("recalculate", number, deduplication=way)).id for number in (1, 2, 3)} == {first.id}
    go.set()
    await eventually(lambda: len(ran) == 2)
    await eventually(lambda: _is_idle(yard))
    assert ran == [0, 3]
    assert (await queue.add("recalculate", 4, deduplication=way)).id != first.id


async def test_one_turn_keeps_the_order_of_its_calls(yard: Yard) -> None:
    queue = yard.queue()
    ties: list[dict[str, Any]] = [
        {},
        {"deduplication": "A"},
        {},
        {},
        {"deduplication": "A"},
        {"deduplication": "B"},
        {},
    ]
    jobs = await asyncio.gather(*(queue.add("work", at, **tie) for at, tie in enumerate(ties)))
    assert [job.id for job in jobs] == ["1", "2", "3", "4", "2", "6", "7"]
    many = await queue.add_many([("work", at, ties[at % len(ties)]) for at in range(200)])
    waiting = await queue.get_jobs("waiting", newest_first=False, size=1000)
    assert [job.id for job in waiting][6:] == [job.id for job in many if int(job.id) > 7]


async def test_a_server_that_forgot_the_scripts_is_sent_them_in_order(yard: Yard, raw: "redis.Redis") -> None:
    queue = yard.queue()
    await queue.add("open the connection")
    ties: list[dict[str, Any]] = [{"deduplication": str(at)} if at % 3 == 2 else {} for at in range(60)]
    raw.script_flush()
    jobs = await asyncio.gather(*(queue.add("work", at, **tie) for at, tie in enumerate(ties)))
    assert [job.id for job in jobs] == [str(at + 2) for at in range(60)]
    waiting = await queue.get_jobs("waiting", newest_first=False, size=100)
    assert [job.id for job in waiting] == [str(at + 1) for at in range(61)]


async def test_a_cancelled_caller_does_not_shift_the_kinds(yard: Yard) -> None:
    queue = yard.queue()
    await queue.add("open the connection")
    ties: list[dict[str, Any]] = [{"deduplication": str(at)} if at % 3 else {} for at in range(30)]
    calls = [asyncio.create_task(queue.add("work", at, **tie)) for at, tie in enumerate(ties)]
    await asyncio.sleep(0)
    calls[1].cancel()
    calls[3].cancel()
    added = await asyncio.gather(*calls, return_exceptions=True)
    kept = [answer for answer in added if isinstance(answer, Job)]
    assert len(kept) >= 28
    assert [(await job.refresh()).data for job in kept] == [job.data for job in kept]


async def test_a_payload_over_its_limit_is_not_sent(yard: Yard, raw: "redis.Redis", prefix: str) -> None:
    queue = yard.queue()
    with pytest.raises(PayloadError, match="the payload of 'text' has 8 bytes; its size_limit is 7"):
        await queue.add("text", "öüä", size_limit=7)
    assert not list(raw.scan_iter(f"{prefix}:*"))
    assert (await queue.add("text", "öüä", size_limit=8)).id == "1"


async def test_a_child_cannot_be_deduplicated(yard: Yard) -> None:
    with pytest.raises(InvalidOption, match="deduplication and parent exclude each other"):
        await yard.queue().add("work", deduplication="A", parent=ParentRef("q", "1"))


async def _has_ended(job: Job[Any]) -> bool:
    return await job.state() in (JobState.COMPLETED, JobState.FAILED)


async def _is_idle(yard: Yard) -> bool:
    counts = await yard.queue().counts()
    return not any(counts[each] for each in (JobState.WAITING, JobState.ACTIVE, JobState.DELAYED))
