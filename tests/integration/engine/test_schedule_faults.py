"""A schedule is advanced once although the reply is lost, and a worker that stops meanwhile loses no run."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from stockyard import Job, ReplyLost, ServerUnavailable
from stockyard._store.jobs import scheduling
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import StartedRecord
from tests.support.waiting import eventually
from tests.support.yard import Yard

Advance = Callable[[QueueKeyspace, Sequence[StartedRecord]], Awaitable[Any]]


def disturb(monkeypatch: pytest.MonkeyPatch, disturbed: Callable[[Advance, int], Advance]) -> list[int]:
    """Let something happen at each call that advances; return a list that grows with each."""
    advance, calls = scheduling.advance, list[int]()

    async def call(keyspace: QueueKeyspace, rows: Sequence[StartedRecord]) -> Any:
        calls.append(len(rows))
        return await disturbed(advance, len(calls))(keyspace, rows)

    monkeypatch.setattr(scheduling, "advance", call)
    return calls


async def test_a_lost_reply_makes_no_second_run(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_the_first(advance: Advance, number: int) -> Advance:
        async def call(keyspace: QueueKeyspace, rows: Sequence[StartedRecord]) -> Any:
            answer = await advance(keyspace, rows)
            if number == 1:
                raise ReplyLost("no reply")
            return answer

        return call

    calls = disturb(monkeypatch, lose_the_first)
    ran: list[str] = []

    async def note(job: Job[Any]) -> None:
        ran.append(job.id)

    async with Yard(redis_url, prefix) as yard:
        yard.queue()
        schedules = yard.app.schedules("q")
        made = await schedules.upsert("s", every="1h")
        await yard.work(note)
        await eventually(lambda: ran == [made.next_job_id])
        (found,) = await schedules.list()
        assert (found.next_run, found.runs_made) == (made.next_run + 3_600_000, 2)
    assert calls == [1, 1]


async def test_a_run_that_could_not_be_followed_is_left_to_others(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = asyncio.Event()

    def be_away(advance: Advance, _: int) -> Advance:
        async def call(keyspace: QueueKeyspace, rows: Sequence[StartedRecord]) -> Any:
            if not away.is_set():
                raise ServerUnavailable("away")
            return await advance(keyspace, rows)

        return call

    calls = disturb(monkeypatch, be_away)
    ran: list[str] = []

    async def note(job: Job[Any]) -> None:
        ran.append(job.id)

    async with Yard(redis_url, prefix) as yard:
        yard.queue(lock="200ms")
        schedules = yard.app.schedules("q")
        made = await schedules.upsert("s", every="1h")
        first = await yard.work(note)
        await eventually(lambda: len(calls) >= 2)
        await first.stop()
        assert ran == []
        away.set()
        await yard.work(note)
        await eventually(lambda: ran == [made.next_job_id])
        assert [each.runs_made for each in await schedules.list()] == [2]
