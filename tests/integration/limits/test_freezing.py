"""A freeze holds all processes, their queues, and those on Node."""

import asyncio
import logging
from collections.abc import Callable
from email.message import Message
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

import pytest

from stockyard import App, Job, Topology
from stockyard.errors import InvalidOption, LimitReached
from stockyard.limits import Fixed, Limits, LimitsStatus
from stockyard.model.clock import SteppedClock
from stockyard.observe.alerts.settings import AlertSettings
from tests.support.waiting import eventually

Open = Callable[..., App]
WEIGHT = Limits("x", [Fixed("weight", 100, per="10s", scope="ip", used_header="X-Used")], freeze_scope="ip")


async def test_a_reply_with_429_freezes_all_processes(
    open_app: Open, clock: SteppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    here, there = open_app(clock=clock).limits(WEIGHT), open_app(clock=clock).limits(WEIGHT)
    async with here.take(5) as call:
        await here.observe({"Retry-After": "3", "X-Used": "40"}, call, status=429)
    assert "frozen for 3.0 s after status 429" in caplog.text
    with pytest.raises(LimitReached) as caught:
        await there.take(timeout=0).acquire()
    assert (caught.value.limit, caught.value.wait) == ("", 3.0)
    assert there.stats().frozen_seconds > 2
    assert here.stats().freezes == 1
    await there.take(scope={"ip": "10.0.0.2"}, timeout=0).acquire()
    status = await there.status()
    assert status.frozen == {"ip=default": 3.0}
    assert status.usage[0].used in (1, 40)


async def test_a_ban_is_an_error_and_lasts_without_a_header(
    open_app: Open, clock: SteppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    limits = open_app(clock=clock).limits(WEIGHT)
    await limits.observe({}, status=418)
    assert [record.levelno for record in caplog.records if "418" in record.message] == [logging.ERROR]
    assert (await limits.status()).frozen == {"ip=default": 120.0}
    await limits.observe({}, status=500)
    await limits.observe({"Retry-After": "1"}, status=429)
    assert (await limits.status()).frozen == {"ip=default": 120.0}


async def test_declared_limits_are_frozen_before_their_first_call(redis_url: str, prefix: str) -> None:
    unused = Limits("y", [Fixed("orders", 1, per="10s")], freeze_scope="ip", source="https://example.com")
    topology = Topology("test")
    topology.queue("orders", limits=unused)
    async with (
        App(topology, redis_url, prefix=prefix) as app,
        App(Topology("other"), redis_url, prefix=prefix) as other,
    ):
        every = app.all_limits
        assert await every.names() == ["y"]
        assert await every.status("y") == LimitsStatus("y", (), {}, "https://example.com")
        assert await every.thaw("y") == 0
        for wrong in (every.freeze("x", "5m"), every.freeze("y", "5m", scope={"account": "A"}), every.status("z")):
            with pytest.raises(InvalidOption):
                await wrong
        assert await other.all_limits.names() == []
        assert await every.freeze("y", "5m") == 300
        with pytest.raises(LimitReached):
            await app.limits(unused).take(timeout=0).acquire()
        assert 299 < (await other.all_limits.status("y")).frozen[""] <= 300
        assert await other.all_limits.thaw("y") == 1
        await app.limits(unused).take(timeout=0).acquire()


@pytest.mark.parametrize(("status", "most"), [(429, 3_600.0), (418, 259_200.0)])
@pytest.mark.parametrize("asked", ["1e9", formatdate(4_102_444_800, usegmt=True)])
async def test_a_reply_cannot_freeze_for_years(
    open_app: Open, clock: SteppedClock, caplog: pytest.LogCaptureFixture, status: int, most: float, asked: str
) -> None:
    limits = open_app(clock=clock).limits(WEIGHT)
    await limits.observe({"Retry-After": asked}, status=status)
    assert (await limits.status()).frozen == {"ip=default": most}
    assert f"{most:.0f} s is the most that it can ask for" in caplog.text


async def test_a_declared_freeze_may_be_longer_than_a_reply_can_ask_for(
    open_app: Open, clock: SteppedClock
) -> None:
    patient = Limits("x", [Fixed("weight", 100, per="10s")], freeze_on={429: "2h"})
    limits = open_app(clock=clock).limits(patient)
    await limits.observe({}, status=429)
    assert (await limits.status()).frozen == {"": 7_200.0}


async def test_what_is_no_reply_is_refused(open_app: Open, clock: SteppedClock) -> None:
    limits = open_app(clock=clock).limits(WEIGHT)
    async with limits.take(1) as call:
        wrong: Any
        for wrong in (None, "Retry-After: 3", 5):
            with pytest.raises(InvalidOption, match="headers must be values by name"):
                await call.observe(wrong, status=429)
        for wrong in ("429", 429.0, True, 5):
            with pytest.raises(InvalidOption, match="status must be a whole number"):
                await call.observe({}, status=wrong)
        headers: Any = Message()
        await call.observe(headers, status=HTTPStatus.OK)
    assert (await limits.status()).frozen == {}


async def test_a_thaw_admits_the_calls_that_wait(open_app: Open) -> None:
    limits = open_app().limits(WEIGHT)
    assert await limits.freeze("1h") == 3600
    await limits.freeze("1h", scope={"ip": "default"})
    waiting = asyncio.create_task(limits.take(20, timeout="2h").acquire())
    await eventually(lambda: limits.stats().waiting == 1)
    assert await limits.thaw(scope={"ip": "default"}) == 1
    assert await limits.thaw() == 1
    await asyncio.wait_for(waiting, 20)
    for wrong in ({"account": "A"}, {"ip": "a", "account": "b"}):
        with pytest.raises(InvalidOption):
            await limits.freeze("1s", scope=wrong)


async def test_a_freeze_holds_the_queues_of_the_limits(open_app: Open) -> None:
    topology = Topology("t")
    topology.queue("orders")
    topology.queue("others")
    app = open_app(topology)
    limits = app.limits(Limits("x", [Fixed("weight", 100, per="10s")], queues=["orders"]))
    ran: list[str] = []

    async def run(job: Job[object]) -> None:
        ran.append(job.name)

    await limits.freeze("1h")
    assert 3_500_000 < await app.queue("orders").rate_limit_left_ms() <= 3_600_000
    assert await app.queue("others").rate_limit_left_ms() == 0
    workers = [app.worker(name, run) for name in ("orders", "others")]
    running = [asyncio.create_task(worker.run()) for worker in workers]
    await app.queue("orders").add("held", {})
    await app.queue("others").add("free", {})
    await eventually(lambda: ran == ["free"])
    await limits.thaw()
    await eventually(lambda: ran == ["free", "held"])
    for worker in workers:
        await worker.stop()
    await asyncio.gather(*running)


async def test_a_freeze_shortens_no_longer_hold_of_a_queue(open_app: Open) -> None:
    topology = Topology("t")
    topology.queue("orders")
    app = open_app(topology)
    limits = app.limits(Limits("x", [Fixed("weight", 100, per="10s")], queues=["orders"]))
    await app.queue("orders").rate_limit("2h")
    await limits.freeze("10s")
    assert await app.queue("orders").rate_limit_left_ms() > 7_000_000


async def test_a_freeze_is_an_incident_until_it_is_over(open_app: Open) -> None:
    app = open_app(Topology("t"))
    limits = app.limits(WEIGHT)
    monitor = app.alert_monitor(AlertSettings(notifiers=()))
    await limits.freeze("1h", scope={"ip": "default"})
    (health,) = (await app.monitor.overview()).limits
    assert (health.name, health.frozen_scope) == ("x", "ip=default")
    assert 3590 < health.frozen_for <= 3600
    await monitor.check_once()
    (incident,) = await app.alerts.incidents()
    assert (incident.rule, incident.subject, incident.status) == ("limits frozen", "x", "firing")
    await limits.thaw()
    await monitor.check_once()
    assert [each.status for each in await app.alerts.incidents() if each.status == "firing"] == []
    assert [(each.name, each.frozen_for) for each in (await app.monitor.overview()).limits] == [("x", 0.0)]
    await monitor.stop()


async def test_the_doctor_names_what_is_frozen_and_what_is_declared_otherwise(open_app: Open) -> None:
    def program(most: int) -> App:
        topology = Topology("t")
        topology.queue("orders", limits=Limits("x", [Fixed("weight", most, per="10s")]))
        return open_app(topology)

    async def found(app: App) -> list[tuple[str, str]]:
        findings = await app.check_server()
        return [(each.severity, each.cause) for each in findings if each.check == "limits x"]

    old, new = program(100), program(50)
    assert await found(old) == [("ok", "1 of them")]
    await old.limits(old.topology.spec("orders").limits).take(1).acquire()  # type: ignore[arg-type]
    assert await found(old) == [("ok", "1 of them")]
    assert await found(new) == [("warning", "another program declares weight otherwise")]
    # A program that starts says anew what they are: what others see of them is of the latest.
    await new.limits(new.topology.spec("orders").limits).take(1).acquire()  # type: ignore[arg-type]
    assert await found(new) == [("ok", "1 of them")]
    assert (await new.all_limits.status("x")).usage[0].most == 50
    await new.all_limits.freeze("x", "1h")
    assert await found(new) == [("warning", "all calls are frozen for another 3600 s")]


async def test_a_worker_that_starts_says_what_its_limits_are(open_app: Open) -> None:
    def program(*names: str) -> App:
        topology = Topology("t")
        limits = Limits("x", [Fixed("weight", 100, per="10s")])
        for name in names:
            topology.queue(name, limits=limits)
        return open_app(topology)

    await program("orders").all_limits.names()
    older = program("orders")
    await older.limits(older.topology.spec("orders").limits).take(1).acquire()  # type: ignore[arg-type]
    app = program("orders", "cancels")
    worker = app.worker("cancels", lambda job: None)
    running = asyncio.create_task(worker.run())
    await worker.ready.wait()
    # Frozen by a program that declares nothing: the queue that is new is held, too.
    await open_app(Topology("other")).all_limits.freeze("x", "1h")
    assert await app.queue("cancels").rate_limit_left_ms() > 0
    await worker.stop()
    await running
