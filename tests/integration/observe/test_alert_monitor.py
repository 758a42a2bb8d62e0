"""Monitors of alerts on a real server, and a webhook that listens."""

import asyncio
import logging
import os
import re
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import redis

from stockyard import App, Job, Topology
from stockyard.errors import ConfigError
from stockyard.model.clock import SteppedClock
from stockyard.observe.alerts.default_rules import Thresholds
from stockyard.observe.alerts.incidents import Incident
from stockyard.observe.alerts.monitor import AlertMonitor
from stockyard.observe.alerts.notifiers import Webhook
from stockyard.observe.alerts.settings import AlertSettings
from tests.support.receivers import dripping, receiver
from tests.support.servers import OwnServer
from tests.support.waiting import eventually
from tests.support.webhook import Listener

desk = Topology("desk")
desk.queue("fills", high_priority=True)
desk.queue("prices")


@pytest.fixture
async def app(redis_url: str, prefix: str) -> AsyncIterator[App]:
    async with App(desk, redis=redis_url, prefix=prefix) as app:
        yield app


def monitor_of(app: App, listener: Listener, **thresholds: Any) -> AlertMonitor:
    chosen = Thresholds(**{"waiting": 2, "failed": 0, "no_worker": "1h", **thresholds})
    return app.alert_monitor(AlertSettings(chosen, (Webhook(listener.url),), interval=0.05))


async def test_a_backlog_is_told_once_with_what_to_do_and_its_end_once(app: App, listener: Listener) -> None:
    queue, monitor = app.queue("fills"), monitor_of(app, listener)
    jobs = await queue.add_many([("fill", n) for n in range(3)])
    for _ in range(3):
        await monitor.check_once()
    assert listener.notified() == [("firing", "waiting", "fills")]
    assert "scale workers" in listener.got[0]["text"]
    assert (listener.got[0]["value"], listener.got[0]["threshold"]) == (3, 2)
    assert [each.name for each in await app.alerts.incidents() if each.notified] == ["waiting/fills"]
    await jobs[0].remove()
    for _ in range(3):
        await monitor.check_once()
    assert listener.notified()[1:] == [("resolved", "waiting", "fills")]
    assert re.search(r"^\[RESOLVED\] fills: .* \(from 2[-\d:+ ]+ to 2[-\d:+ ]+\)$", listener.got[1]["text"])
    assert [str(each.status) for each in await app.alerts.history()] == ["resolved", "firing"]


async def test_a_queue_that_is_not_of_high_priority_may_have_a_backlog(app: App, listener: Listener) -> None:
    await app.queue("prices").add_many([("price", n) for n in range(9)])
    await monitor_of(app, listener).check_once()
    assert listener.notified() == []


async def test_of_many_monitors_one_notifies_and_another_follows(app: App, listener: Listener) -> None:
    await app.queue("fills").add_many([("fill", n) for n in range(3)])
    first, second = monitor_of(app, listener), monitor_of(app, listener)
    await first.check_once()
    await second.check_once()
    assert (first.is_leader, second.is_leader) == (True, False)
    await first.stop()
    await second.check_once()
    assert second.is_leader
    assert listener.notified() == [("firing", "waiting", "fills")]
    await second.stop()


async def test_a_monitor_that_died_is_replaced(app: App, listener: Listener) -> None:
    await monitor_of(app, listener).check_once()
    successor = monitor_of(app, listener)
    await successor.start()
    await eventually(lambda: successor.is_leader)
    await successor.stop()


async def test_a_webhook_that_refuses_is_told_later_and_its_secret_is_not_logged(
    app: App, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    listener.refuses = True
    await app.queue("fills").add_many([("fill", n) for n in range(3)])
    monitor = monitor_of(app, listener)
    await monitor.check_once()
    assert listener.notified() == []
    assert "could not be sent" in caplog.text
    assert "503" in caplog.text
    assert "s3cret" not in caplog.text
    listener.refuses = False
    await monitor.check_once()
    await monitor.check_once()
    assert listener.notified() == [("firing", "waiting", "fills")]


async def test_a_webhook_that_takes_longer_than_a_leaders_term_is_told_once(app: App, listener: Listener) -> None:
    listener.takes = 0.5
    await app.queue("fills").add_many([("fill", n) for n in range(3)])
    first, second = monitor_of(app, listener), monitor_of(app, listener)
    await first.start()
    await eventually(lambda: listener.got)
    await second.start()
    await eventually(app.alerts.history)
    await first.stop()
    await second.stop()
    assert listener.notified() == [("firing", "waiting", "fills")]


async def test_a_receiver_that_hangs_delays_neither_looks_nor_the_leaders_term(
    redis_url: str, prefix: str, raw: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stockyard.consume.recover.orphans.SETTLED", 0.1)
    shop = Topology("shop")
    shop.queue("parcels", high_priority=True)
    shop.queue("mail", lock="100ms")
    drip = dripping(b"HTTP/1.1 200 OK\r\nX-Filler: a")
    async with App(shop, redis=redis_url, prefix=prefix) as app:
        await app.queue("parcels").add_many([("parcel", n) for n in range(3)])
        dead = await app.queue("mail").add("letter")
        with receiver(drip) as slow:
            hook = Webhook(f"http://127.0.0.1:{slow.port}/")
            settings = AlertSettings(Thresholds(waiting=2, active="1ms"), (hook,), interval=0.05)
            monitor, standby = app.alert_monitor(settings), app.alert_monitor(settings)
            await monitor.start()
            await eventually(lambda: slow.connections)
            await standby.start()
            # Meanwhile the monitor sees what begins, and hands back what a dead worker holds.
            raw.lmove(f"{prefix}:mail:wait", f"{prefix}:mail:active")
            raw.hset(f"{prefix}:mail:{dead.id}", mapping={"processedOn": dead.timestamp, "pb": "desk-3"})
            await eventually(lambda: slow.connections == 2)
            await eventually(lambda: _is(dead, "waiting"))
            assert not slow.cut.is_set()
            assert (monitor.is_leader, standby.is_leader) == (True, False)
            await monitor.stop()
            await eventually(slow.cut.is_set)
            await standby.stop()


async def test_what_ends_while_its_notification_is_under_way_is_told_to_end(app: App, listener: Listener) -> None:
    listener.takes = 0.3
    jobs = await app.queue("fills").add_many([("fill", n) for n in range(3)])
    monitor = monitor_of(app, listener)
    await monitor.start()
    await eventually(lambda: listener.got)
    await jobs[0].remove()
    await eventually(lambda: ("resolved", "waiting", "fills") in listener.notified())
    await eventually(lambda: _is_over(app, "waiting/fills"))
    await monitor.stop()
    assert listener.notified() == [("firing", "waiting", "fills"), ("resolved", "waiting", "fills")]


async def test_a_notifier_that_never_returns_or_raises_is_given_up(
    app: App, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stockyard.observe.alerts.deliveries.LONGEST", 0.1)

    class Hangs:
        name = "hangs"

        async def notify(self, _incident: Incident) -> None:
            await asyncio.Event().wait()

    class Breaks:
        name = "breaks"

        async def notify(self, _incident: Incident) -> None:
            raise KeyError("oops")

    await app.queue("fills").add_many([("fill", n) for n in range(3)])
    settings = AlertSettings(Thresholds(waiting=2), (Hangs(), Breaks()), interval=0.05)
    await app.alert_monitor(settings).check_once()
    assert "could not be sent by hangs: it took longer than 0.1 s" in caplog.text
    assert "could not be sent by breaks: KeyError('oops')" in caplog.text


async def test_a_full_server_is_watched_and_told_of(
    make_server: Callable[..., OwnServer], listener: Listener
) -> None:
    server = make_server()
    async with App(desk, redis=server.url) as app:
        with server.client() as client:
            memory: Any = client.info("memory")
            client.config_set("maxmemory", memory["used_memory"] - 100_000)
        monitor = monitor_of(app, listener)
        for _ in range(3):
            await monitor.check_once()
    assert listener.notified() == [("firing", "memory", "server")]


async def test_a_silence_holds_until_its_end(redis_url: str, prefix: str, listener: Listener) -> None:
    clock = SteppedClock()
    async with App(desk, redis=redis_url, prefix=prefix, clock=clock) as app:
        await app.queue("fills").add_many([("fill", n) for n in range(3)])
        await app.alerts.silence("waiting", duration="10m", reason="maintenance")
        monitor = monitor_of(app, listener)
        await monitor.check_once()
        assert listener.notified() == []
        assert [each.name for each in await app.alerts.silences()] == ["waiting/*"]
        clock.step(600_000)
        await monitor.check_once()
        assert ("firing", "waiting", "fills") in listener.notified()
        assert await app.alerts.silences() == []


async def test_the_log_is_told_without_any_setting(app: App, caplog: pytest.LogCaptureFixture) -> None:
    await app.queue("fills").add_many([("fill", n) for n in range(101)])
    with caplog.at_level(logging.ERROR, "stockyard.observe"):
        await app.alert_monitor(AlertSettings.load({}, dotenv=None)).check_once()
    assert "[FIRING] fills: waiting is 101, more than 100: scale workers" in caplog.text


async def test_each_topology_has_a_monitor_of_its_own(
    app: App, redis_url: str, prefix: str, listener: Listener
) -> None:
    bank = Topology("bank")
    bank.queue("transfers")
    first = monitor_of(app, listener)
    await first.check_once()
    async with App(bank, redis=redis_url, prefix=prefix) as other:
        second = monitor_of(other, listener, no_worker="0s")
        await other.queue("transfers").add("transfer")
        await second.check_once()
        assert first.is_leader
        assert second.is_leader
        assert listener.notified() == [("firing", "waiting without a worker", "transfers")]
        assert await app.alerts.incidents() == []


async def test_a_job_that_runs_for_too_long_is_told_with_its_worker(app: App, listener: Listener) -> None:
    async def hang(_job: Job[Any]) -> None:
        await asyncio.Event().wait()

    worker = app.worker("fills", hang, handle_signals=False, grace=0)
    working = asyncio.create_task(worker.run())
    job = await app.queue("fills").add("fill")
    await eventually(lambda: _is(job, "active"))
    await monitor_of(app, listener, active="1ms").check_once()
    await worker.stop()
    await working
    assert f"job {job.id} on worker {socket.gethostname()}-{os.getpid()} since 2" in listener.got[0]["message"]


async def test_jobs_of_dead_workers_are_handed_back_though_no_worker_is_left(
    redis_url: str, prefix: str, raw: "redis.Redis", listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stockyard.consume.recover.orphans.SETTLED", 0.2)
    shop = Topology("shop")
    shop.queue("mail", lock="100ms")
    shop.queue("parcels", lock="100ms")
    async with App(shop, redis=redis_url, prefix=prefix) as app:
        dead, alive = await app.queue("mail").add("x"), await app.queue("parcels").add("x")
        for queue, job in (("mail", dead), ("parcels", alive)):
            raw.lmove(f"{prefix}:{queue}:wait", f"{prefix}:{queue}:active")
            raw.hset(f"{prefix}:{queue}:{job.id}", mapping={"processedOn": job.timestamp, "pb": "desk-3"})
        raw.set(f"{prefix}:parcels:{alive.id}:lock", "token")
        monitor = monitor_of(app, listener)
        await monitor.start()
        await eventually(lambda: _is(dead, "waiting"))
        await monitor.stop()
        assert (await dead.refresh()).stalled_count == 1
        assert await _is(alive, "active")


async def test_a_schedule_that_nobody_continues_is_told_until_somebody_does(app: App, listener: Listener) -> None:
    await app.schedules("prices").upsert("tick", every="100ms", name="price")
    monitor = monitor_of(app, listener, schedule_late="300ms")
    await monitor.start()
    await eventually(lambda: ("firing", "schedules stopped", "prices") in listener.notified())
    assert "(schedule tick)" in listener.got[0]["text"]
    worker = app.worker("prices", _nothing, handle_signals=False)
    running = asyncio.create_task(worker.run())
    await eventually(lambda: ("resolved", "schedules stopped", "prices") in listener.notified())
    await worker.stop()
    await running
    await monitor.stop()


async def _is_over(app: App, incident: str) -> bool:
    return incident not in [each.name for each in await app.alerts.incidents()]


async def _nothing(job: Job[Any]) -> None: ...


async def _is(job: Job[Any], state: str) -> bool:
    return str(await job.state()) == state


def test_settings_come_from_the_environment() -> None:
    settings = AlertSettings.load(
        {
            "STOCKYARD_ALERT_WAITING": "5",
            "STOCKYARD_ALERT_ACTIVE": "2s",
            "STOCKYARD_ALERT_WEBHOOK": "https://hooks.example.org/a https://hooks.example.org/b",
            "STOCKYARD_ALERT_APPRISE": "mailtos://user:s3cret@mail.example.org",
            "STOCKYARD_ALERT_INTERVAL": "500ms",
        },
        dotenv=None,
    )
    assert (settings.thresholds.waiting, settings.thresholds.active, settings.interval) == (5, 2.0, 0.5)
    names = [each.name for each in settings.notifiers]
    assert names[0] == "log"
    assert len(set(names)) == 4
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WAITING", "many"),
        ("WAITING", "-1"),
        ("FAILED", "1.5"),
        ("FAILED", "inf"),
        ("ACTIVE", "soon"),
        ("MEMORY", "90"),
        ("MEMORY", "nan"),
        ("INTERVAL", "0"),
        ("WEBHOOK", "ftp://x"),
        ("WEBHOOK", "http:///path"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"1 wrong setting:\n  - STOCKYARD_ALERT_{name}"):
        AlertSettings.load({f"STOCKYARD_ALERT_{name}": value}, dotenv=None)


def test_every_wrong_setting_is_named() -> None:
    wrong = {"WAITING": "many", "ACTIVE": "soon", "WEBHOOK": "ftp://x ftp://y http:///z"}
    with pytest.raises(ConfigError, match="5 wrong settings"):
        AlertSettings.load({f"STOCKYARD_ALERT_{name}": value for name, value in wrong.items()}, dotenv=None)
