"""Schedules that a queue declares, and that its workers make when they start."""

import logging
from typing import Any

import pytest
import redis

from stockyard import HandlerError, InvalidOption, Job, Topology
from tests.support.yard import Yard


async def idle(job: Job[Any]) -> None: ...


async def test_a_starting_worker_makes_them_and_the_next_one_changes_nothing(
    yard: Yard, raw: "redis.Redis", prefix: str
) -> None:
    queue = yard.queue().spec
    queue.schedule("sync", every="1h", offset="0s", name="reconcile", data={"n": 1}, attempts=3)
    queue.schedule("close", cron="0 16 * * MON-FRI", tz="UTC", overlap="skip")
    await yard.work(idle)
    schedules = yard.app.schedules("q")
    first = await schedules.list()
    assert {each.id for each in first} == {"sync", "close"}
    assert [each.data for each in first if each.id == "sync"] == [{"n": 1}]
    count = raw.get(f"{prefix}:q:id")
    await (await yard.work(idle)).stop()
    assert await yard.app.upsert_schedules("q") == await yard.app.upsert_schedules()
    assert (await schedules.list(), raw.get(f"{prefix}:q:id")) == (first, count)


async def test_one_that_has_ended_keeps_no_worker_from_starting(
    yard: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    yard.queue().spec.schedule("once", every="1h", end=5)
    with caplog.at_level(logging.WARNING, "stockyard"):
        await yard.work(idle)
    assert "schedule 'once' would never run" in caplog.text
    assert await yard.app.schedules("q").count() == 0


async def test_one_that_no_handler_takes_keeps_the_worker_from_starting(yard: Yard) -> None:
    spec = yard.queue().spec
    spec.handler("sync")(idle)
    spec.schedule("sync", every="1h")
    spec.schedule("snc", every="1h")
    with pytest.raises(HandlerError, match="did you mean 'sync'"):
        await yard.app.worker("q", handle_signals=False).run()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "either every or cron"),
        ({"evry": "5s"}, "unknown option 'evry' of schedule 's'; did you mean 'every'"),
        ({"every": "5s", "attempts": -1}, "attempts"),
        ({"every": "5s", "misfire": "no"}, "misfire"),
        ({"every": "5s", "name": ""}, "name"),
        ({"every": "5s", "delay": 1}, "decides delay"),
        ({"cron": "0 9 * * MONDAY"}, "write MON for MONDAY"),
    ],
)
def test_a_wrong_argument_is_refused_where_it_is_declared(arguments: Any, said: str) -> None:
    queue = Topology("t").queue("q")
    with pytest.raises(InvalidOption, match=said):
        queue.schedule("s", **arguments)
    queue.schedule("s", every="5s")
    with pytest.raises(InvalidOption, match="declared already"):
        queue.schedule("s", every="5s")
