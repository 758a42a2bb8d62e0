"""Workers of child processes that take quick jobs ahead: each runs once, and none waits behind a slow one."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from stockyard import JobFailed
from stockyard.consume.executors import process
from stockyard.consume.executors.pace import MOST, Pace
from tests.support import child_handlers as handlers
from tests.support.waiting import eventually
from tests.support.yard import Yard


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs count as quick, whatever this machine makes of them."""
    monkeypatch.setattr(Pace, "depth", MOST)


def noted(place: Path) -> "Counter[str]":
    return Counter(place.read_text().split()) if place.exists() else Counter()


async def test_each_job_runs_once_and_uses_one_attempt(
    yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_SLOW", 600.0)
    queue = yard.queue(executor="process")
    place = tmp_path / "ran"
    jobs = await queue.add_many([("x", str(place))] * 300)
    worker = await yard.work(handlers.note_job, executor="process", concurrency=2, recycle_after=50)
    most = 0

    async def is_done() -> bool:
        nonlocal most
        most = max(most, worker.running)
        return await queue.count("completed") == 300

    await eventually(is_done, within=120)
    assert noted(place) == Counter({job.id: 1 for job in jobs})
    assert {(await job.refresh()).attempts_started for job in jobs[::10]} == {1}
    assert 2 < most <= 2 * MOST


async def test_a_death_costs_no_attempt_of_the_jobs_behind(
    yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_SLOW", 600.0)
    queue = yard.queue(attempts=1)
    place = tmp_path / "ran"
    names = ["dies" if number % 10 == 5 else "notes" for number in range(60)]
    jobs = await queue.add_many([(name, str(place)) for name in names])
    await yard.work(handlers.note_or_die, executor="process", concurrency=2)
    for job, name in zip(jobs, names, strict=True):
        if name == "dies":
            with pytest.raises(JobFailed, match="killed by SIGKILL"):
                await job.wait_for_result(60)
        else:
            await job.wait_for_result(60)
    assert noted(place) == Counter({job.id: 1 for job, name in zip(jobs, names, strict=True) if name == "notes"})


async def test_a_stop_hands_back_what_has_not_begun(
    yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_SLOW", 600.0)
    queue = yard.queue()
    place = tmp_path / "ran"
    here, there = tmp_path / "here", tmp_path / "there"
    worker = await yard.work(handlers.meet_or_note, executor="process", concurrency=1)
    # Its child is there: none is taken ahead while there is none.
    await (await queue.add("note", str(tmp_path / "first"))).wait_for_result(60)
    first = await queue.add("meet", [str(here), str(there)])
    await handlers.announced(here)
    jobs = await queue.add_many([("note", str(place))] * 20)
    await eventually(lambda: worker.running == MOST)
    assert await queue.count("active") == MOST
    await worker.stop(grace=0)
    assert (await queue.count("active"), await queue.count("waiting")) == (0, 21)
    assert not place.exists()
    there.touch()
    await yard.work(handlers.meet_or_note, executor="process", concurrency=1)
    assert await first.wait_for_result(60) is True
    for job in jobs:
        await job.wait_for_result(60)
    assert noted(place) == Counter({job.id: 1 for job in jobs})


async def test_a_job_that_is_cancelled_behind_another_fails_and_does_not_run(
    yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_SLOW", 600.0)
    queue = yard.queue()
    place = tmp_path / "ran"
    here, there = tmp_path / "here", tmp_path / "there"
    worker = await yard.work(handlers.meet_or_note, executor="process", concurrency=1)
    # Its child is there: none is taken ahead while there is none.
    await (await queue.add("note", str(tmp_path / "first"))).wait_for_result(60)
    first = await queue.add("meet", [str(here), str(there)])
    await handlers.announced(here)
    jobs = await queue.add_many([("note", str(place))] * 3)
    await eventually(lambda: worker.running == 4)
    await jobs[1].cancel()
    with pytest.raises(JobFailed, match="cancelled"):
        await jobs[1].wait_for_result(60)
    there.touch()
    assert await first.wait_for_result(60) is True
    await asyncio.gather(*(job.wait_for_result(60) for job in (jobs[0], jobs[2])))
    assert noted(place) == Counter({jobs[0].id: 1, jobs[2].id: 1})


async def test_jobs_do_not_wait_behind_slow_ones_while_another_worker_has_time(yard: Yard, tmp_path: Path) -> None:
    queue = yard.queue()
    place = tmp_path / "ran"
    here, there = tmp_path / "here", tmp_path / "there"
    slow = await queue.add("meet", [str(here), str(there)])
    busy = await yard.work(handlers.meet_or_note, executor="process", concurrency=1)
    await handlers.announced(here)
    jobs = await queue.add_many([("note", str(place))] * 5)
    await eventually(lambda: busy.running == 1)
    await yard.work(handlers.meet_or_note, executor="process", concurrency=1)
    await asyncio.gather(*(job.wait_for_result(60) for job in jobs))
    assert await slow.state() == "active"
    there.touch()
    assert await slow.wait_for_result(60) is True
    assert noted(place) == Counter({job.id: 1 for job in jobs})


async def test_with_middleware_no_more_jobs_are_in_hand_than_run(yard: Yard, tmp_path: Path) -> None:
    inside = most = 0

    async def count(job: Any, call_next: Any) -> Any:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        try:
            return await call_next(job)
        finally:
            inside -= 1

    queue = yard.queue()
    jobs = await queue.add_many([("x", str(tmp_path / "ran"))] * 40)
    await yard.work(handlers.note_job, executor="process", concurrency=2, middleware=[count])
    await asyncio.gather(*(job.wait_for_result(60) for job in jobs))
    assert most <= 2


async def test_no_job_is_taken_ahead_where_starts_are_limited(yard: Yard, tmp_path: Path) -> None:
    # What goes back without having run was started all the same.
    queue = yard.queue()
    here, there = tmp_path / "here", tmp_path / "there"
    worker = await yard.work(handlers.meet_or_note, executor="process", concurrency=1, max_started_attempts=1)
    first = await queue.add("meet", [str(here), str(there)])
    jobs = await queue.add_many([("note", str(tmp_path / "ran"))] * 20)
    await handlers.announced(here)
    assert (worker.running, await queue.count("active")) == (1, 1)
    there.touch()
    for job in (first, *jobs):
        await job.wait_for_result(60)
    assert {(await job.refresh()).attempts_started for job in jobs} == {1}
