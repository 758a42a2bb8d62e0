"""A worker's concurrency while it works, and attributes that cannot be assigned without effect."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from stockyard import Channel, InvalidOption, Job
from tests.support.waiting import eventually, wait_until
from tests.support.yard import Yard

RUN_SECONDS = 0.02
"""How long a job takes: two that are taken at once overlap."""


async def hold_async(job: Job[str]) -> None:
    Path(f"{job.data}.entered").touch()
    await eventually(Path(f"{job.data}.go").exists, within=60)


def hold(job: Job[str]) -> None:
    Path(f"{job.data}.entered").touch()
    wait_until(Path(f"{job.data}.go").exists, within=60)


@pytest.mark.parametrize(
    ("handler", "executor"),
    [(hold_async, "async"), (hold, "thread"), (hold, "process")],
    ids=["async", "thread", "process"],
)
async def test_concurrency_is_changed_up_and_down_while_jobs_run(
    yard: Yard, tmp_path: Path, handler: Any, executor: str
) -> None:
    def entered() -> int:
        return len(list(tmp_path.glob("*.entered")))

    queue = yard.queue()
    worker = await yard.work(handler, executor=executor, concurrency=1)
    await queue.add_many([("x", str(tmp_path / f"{number}")) for number in range(8)])
    await eventually(lambda: entered() == 1, within=60)
    assert worker.running == 1

    worker.concurrency = 4
    assert worker.concurrency == 4
    await eventually(lambda: entered() == 4, within=60)
    assert worker.running == 4

    worker.concurrency = 2
    assert worker.running == 4
    for number in range(4):
        (tmp_path / f"{number}.go").touch()
    await eventually(lambda: entered() == 6, within=60)

    async def is_settled() -> bool:
        return await queue.count("completed") == 4

    await eventually(is_settled, within=60)
    assert (worker.running, await queue.count("active")) == (2, 2)
    for number in range(4, 8):
        (tmp_path / f"{number}.go").touch()

    async def all_ended() -> bool:
        return await queue.count("completed") == 8

    await eventually(all_ended, within=60)


async def test_an_idle_worker_that_is_given_less_to_do_takes_no_more_than_that(
    yard: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    """It waits with a call that asks for as many jobs as it had room for."""
    running = most = 0

    async def count(job: Job[Any]) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(RUN_SECONDS)
        running -= 1

    queue = yard.queue()
    worker = await yard.work(count, concurrency=8)
    await (await queue.add("x")).wait_for_result(25)
    await eventually(lambda: worker._shards.all[0].fetcher._reserved == 8)
    worker.concurrency = 1
    await eventually(lambda: worker._shards.all[0].fetcher._reserved == 1)
    for job in await queue.add_many([("x", None)] * 6):
        await job.wait_for_result(25)
    assert most == 1
    assert "did not answer" not in caplog.text
    worker.concurrency = 6
    for job in await queue.add_many([("x", None)] * 12):
        await job.wait_for_result(25)
    assert most > 1


async def test_concurrency_may_be_changed_before_the_worker_runs(yard: Yard) -> None:
    yard.queue()
    worker = yard.app.worker("q", hold_async, concurrency=3)
    worker.concurrency = 5
    assert worker.concurrency == 5
    for wrong in (0, True, "8", 2.5):
        with pytest.raises(InvalidOption, match="concurrency must be a whole number, 1 or more"):
            worker.concurrency = wrong  # type: ignore[assignment]
    assert worker.concurrency == 5


async def test_what_cannot_be_changed_by_assigning_refuses_to_be_assigned(yard: Yard) -> None:
    queue, app = yard.queue(), yard.app
    made: list[tuple[Any, tuple[str, ...]]] = [
        (app.worker("q", hold_async), ("queue", "options", "id", "metrics", "running", "concurency", "grace")),
        (queue, ("name", "spec", "concurrency", "sync")),
        (app, ("topology", "settings", "url", "prefix")),
        (app.cache("prices"), ("name", "ttl")),
        (app.channel(Channel("news")), ("name", "channel")),
        (app.schedules("q"), ("queue",)),
        (app.events("q"), ("queue",)),
        (app.flows, ("depth",)),
        (app.caches, ("budget",)),
        (app.alerts, ("history",)),
        (app.channel(Channel("fills", durable=True)).consume("ledger"), ("channel", "group", "name", "idle")),
        (yard.topology, ("name", "lifespans", "queues")),
        (await queue.add("x"), ("id", "name", "options", "queue", "attempts_made", "return_value", "prioriti")),
    ]
    for owner, names in made:
        for name in names:
            with pytest.raises(AttributeError, match=f"{type(owner).__name__}.{name} "):
                setattr(owner, name, 8)
    with pytest.raises(AttributeError, match="did you mean 'concurrency'"):
        made[0][0].concurency = 8
    job = made[-1][0]
    with pytest.raises(AttributeError, match=r"cannot be assigned; await job\.change_priority\(…\) changes it"):
        job.priority = 8
    with pytest.raises(AttributeError, match=r"Job\.prioriti does not exist.* did you mean 'priority'"):
        job.prioriti = 8


@pytest.mark.parametrize(
    ("option", "wrong", "complaint"),
    [
        ("lock", 0, "lock must be 100 ms or longer; got 0"),
        ("lock", "99ms", "lock must be 100 ms or longer; got '99ms'"),
        ("recycle_after", 0, "recycle_after must be a whole number, 1 or more; got 0"),
        ("recycle_after", -3, "recycle_after must be a whole number, 1 or more; got -3"),
        ("memory_limit", 0, "memory_limit must be a whole number, 1 or more; got 0"),
        ("memory_limit", "1g", "memory_limit must be a whole number, 1 or more; got '1g'"),
    ],
)
async def test_an_option_out_of_its_range_is_refused_before_the_worker_runs(
    yard: Yard, option: str, wrong: Any, complaint: str
) -> None:
    yard.queue()
    for executor in ("async", "process"):
        with pytest.raises(InvalidOption, match=complaint):
            yard.app.worker("q", hold_async, executor=executor, **{option: wrong})
