"""Every key of a busy prefix written over by another program, and every reader run on what is left."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import msgspec
import pytest
import redis
from prometheus_client import CollectorRegistry, generate_latest
from rich.console import Console

from stockyard import App, Channel, Deduplication, Flow, Job, Topology
from stockyard.cli import main
from stockyard.cli.top import record_of
from stockyard.cli.top_frame import draw, look
from stockyard.errors import StockyardError
from stockyard.observe.alerts.default_rules import Thresholds
from stockyard.observe.alerts.settings import AlertSettings
from stockyard.observe.metrics.exporter import Exporter
from stockyard.pubsub import MessageGap
from tests.support.waiting import eventually

desk = Topology("desk")
for name in ("mail", "parcels"):
    desk.queue(name, lock="10m")
NEWS = Channel("news", durable=True)
STATES = ("waiting", "prioritized", "active", "delayed", "completed", "failed", "waiting-children")
OTHER_JOBS = ("1", "2", "first", "later", "child")
GARBAGE = (b"-1e18", b"nan", b"inf", b"", b"\xff\xfe", b"[1,", b'{"since":-1e30,"repeat":7}', b"9" * 400)
TYPES: dict[str, Callable[["redis.Redis", bytes], Any]] = {
    "string": lambda raw, key: raw.set(key, b"\xff\xfe"),
    "list": lambda raw, key: raw.rpush(key, b"\xff", "x"),
    "set": lambda raw, key: raw.sadd(key, b"\xff", "x"),
    "zset": lambda raw, key: raw.zadd(key, {b"\xff": float("-inf"), b"x": 5.5, b"y": float("inf")}),
    "hash": lambda raw, key: raw.hset(key, mapping={b"\xff": b"\xff", "x": "y"}),
    "stream": lambda raw, key: raw.xadd(key, {b"\xff": b"\xff", "event": "completed"}),
}
SETTINGS = AlertSettings(Thresholds(failed=0, active="1ms"), (), interval=60)


class Kept:
    """The keys of a prefix as they were, put back after each damage."""

    def __init__(self, raw: "redis.Redis", prefix: str) -> None:
        self.raw = raw
        self._prefix = prefix
        self.values = self._dumps(self.keys())

    def keys(self) -> list[bytes]:
        return sorted(key for key in self.raw.scan_iter(match=f"{self._prefix}*", count=1000))

    @contextmanager
    def damaged(self, damage: Callable[[], Any]) -> Iterator[None]:
        damage()
        yield
        left = self._dumps(list(self.values))
        changed = [key for key in self.values if left[key] != self.values[key]]
        with self.raw.pipeline(transaction=False) as pipe:
            for key in set(self.keys()) - self.values.keys():
                pipe.delete(key)
            for key in changed:
                pipe.restore(key, 0, self.values[key], replace=True)
            pipe.execute()

    def damages(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        """Every key as each type that it is not, and every value within it as garbage."""
        for key in self.values:
            name = key.decode(errors="replace").removeprefix(self._prefix)
            # Of jobs those that show more than others; the other queue must stay as it is.
            if ":parcels" in name or (name.startswith(":mail:") and name.split(":")[2] in OTHER_JOBS):
                continue
            kind = str(self.raw.type(key), "ascii")  # type: ignore[arg-type]
            for other, write in TYPES.items():
                if other != kind:
                    yield f"{name} as {other}", partial(self.replace, key, write)
            for text in GARBAGE[::2] if kind != "hash" else GARBAGE[::4]:
                yield from self._within(key, kind, name, text)

    def replace(self, key: bytes, write: Callable[["redis.Redis", bytes], Any]) -> None:
        self.raw.delete(key)
        write(self.raw, key)

    def _within(self, key: bytes, kind: str, name: str, text: bytes) -> Iterator[tuple[str, Callable[[], Any]]]:
        what, raw = f"{name} with {text!r}", self.raw
        match kind:
            case "string":
                yield what, partial(raw.set, key, text)
            case "list":
                yield what, partial(raw.rpush, key, text)
            case "zset":
                yield what, partial(raw.zadd, key, {text: -5})
            case "hash":
                for field in raw.hkeys(key):
                    yield f"{what} in {field!r}", partial(raw.hset, key, field, text)
            case "stream":
                fields: Any = {"event": "completed", "jobId": text, "g": text, "n": text}
                yield what, partial(raw.xadd, key, fields)

    def _dumps(self, keys: list[bytes]) -> dict[bytes, bytes]:
        with self.raw.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.dump(key)
            return dict(zip(keys, pipe.execute(), strict=True))


async def populate(app: App, raw: "redis.Redis", prefix: str) -> None:
    """Bring something of every kind into both queues, and into alerts, caches and channels."""
    for name in desk.names:
        queue = app.queue(name)

        async def handle(job: Job[Any]) -> Any:
            await job.log("a line")
            await job.update_progress({"part": 1})
            if job.name == "bad":
                raise ValueError("no such address")
            return {"sent": 1}

        worker = app.worker(name, handle, handle_signals=False, metrics_minutes=60)
        running = asyncio.create_task(worker.run())
        done, failed = await queue.add("good", {"n": 1}), await queue.add("bad", attempts=1)
        await done.wait_for_result("25s")
        await eventually(partial(_is, failed, "failed"))
        await worker.stop()
        await running
        running_job = await queue.add("runs", {"n": 1}, job_id="runs")
        raw.lmove(f"{prefix}:{name}:wait", f"{prefix}:{name}:active")
        raw.hset(f"{prefix}:{name}:runs", mapping={"processedOn": running_job.timestamp, "pb": "desk-3", "ats": 1})
        raw.set(f"{prefix}:{name}:runs:lock", "token")
        await queue.add("waits", {"n": 1}, job_id="waits")
        await queue.add("first", {"n": 1}, job_id="first", priority=3)
        await queue.add("later", {"n": 1}, job_id="later", delay="1h", deduplication=Deduplication("only"))
        await app.flows.add(Flow("parent", name, job_id="parent", children=[Flow("child", name, job_id="child")]))
        await app.schedules(name).upsert("tick", every="1h", name="tick")
        await queue.set_rate("5/s")
        raw.zadd(f"{prefix}:{name}:repeat", {"tick": running_job.timestamp - 5000})
    await app.cache("prices", int).set("eur", 7, tags=("fx",))
    channel = app.channel(NEWS)
    async with channel.consume("ledger") as messages:
        await channel.publish({"n": 1})
        async for delivery in messages:
            assert not isinstance(delivery, MessageGap)
            await delivery.ack()
            break
    alert_monitor = app.alert_monitor(SETTINGS)
    await alert_monitor.check_once()
    await alert_monitor.stop()
    await app.alerts.silence("memory", duration="1h", reason="because")
    incident = raw.hvals(f"{prefix}::alerts:desk:incidents")[0]
    raw.rpush(f"{prefix}::alerts:desk:history", incident)


async def _is(job: Job[Any], state: str) -> bool:
    return str(await job.state()) == state


async def fleet(app: App, waiting: int) -> None:
    """What shows all queues at once must show the queue that is intact, whatever happened to the other."""
    health = {each.name: each for each in await app.health()}
    assert (health["parcels"].waiting, health["parcels"].failed, health["parcels"].damage) == (waiting, 1, ())
    alert_monitor = app.alert_monitor(SETTINGS)
    await alert_monitor.check_once()
    assert alert_monitor.is_leader
    await alert_monitor.stop()
    overview = await app.monitor.overview()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Exporter(shared=overview.snapshot, workers=list))
    assert b'stockyard_jobs{queue="parcels",state="failed"} 1.0' in generate_latest(registry)
    dashboard = await look(app, (), 10, is_first=True)
    assert "parcels" in {each.queue for each in dashboard.running}
    msgspec.json.encode(record_of(dashboard, None))
    Console(quiet=True).print(draw(dashboard, None, 10, width=200))


def of_one_queue(app: App) -> list[Awaitable[Any]]:
    """What shows one queue answers, or says what is wrong with it."""
    queue, jobs = app.queue("mail"), ("runs", "waits", "parent")
    return [
        queue.get_jobs(STATES), *(queue.get_jobs(each) for each in STATES), *(_job(queue, each) for each in jobs),
        queue.counts(), queue.counts_per_priority([0, 3]), queue.is_paused(), queue.settings(),
        queue.rate_limit_left_ms(), queue.deduplication_owner("only"), queue.metrics("completed"),
        queue.metrics("failed"), queue.prometheus(),
        app.schedules("mail").list(), app.schedules("mail").get("tick"), app.schedules("mail").count(),
        app.flows.get("mail", "parent"), _events(app),
    ]  # fmt: skip


def of_the_rest(app: App) -> list[Awaitable[Any]]:
    """The same of alerts, caches and channels."""
    cache, channel = app.cache("prices", int), app.channel(NEWS)
    return [
        app.alerts.incidents(), app.alerts.silences(), app.alerts.history(), cache.get("eur"),
        app.caches.usage(), app.caches.names(), app.caches.budget(), channel.read(), channel.groups(),
        channel.dead_letters(),
    ]  # fmt: skip


async def _job(queue: Any, job_id: str) -> None:
    found = await queue.get_job(job_id)
    if found is not None:
        await asyncio.gather(found.state(), found.logs(), found.children(), found.children_values())


async def _events(app: App) -> None:
    async with app.events("mail", "0-0") as events:
        await events.earlier(100)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_no_value_of_another_program_blinds_a_reader(redis_url: str, prefix: str) -> None:
    faults: list[str] = []
    async with App(desk, redis_url, prefix=prefix) as app:
        with redis.Redis.from_url(redis_url, decode_responses=True) as raw:
            await populate(app, raw, prefix)
        waiting = (await app.health("parcels"))[0].waiting
        with redis.Redis.from_url(redis_url) as raw:
            kept = Kept(raw, prefix)
            for what, damage in kept.damages():
                with kept.damaged(damage):
                    try:
                        await fleet(app, waiting)
                    except (
                        StockyardError,
                        ArithmeticError,
                        LookupError,
                        TypeError,
                        ValueError,
                        AssertionError,
                    ) as error:
                        faults.append(f"all queues, {what}: {error!r}")
                    single = of_one_queue(app) if what.startswith(":mail:") else of_the_rest(app)
                    answers = await asyncio.gather(*single, return_exceptions=True)
                    faults += [
                        f"reader {at}, {what}: {answer!r}"
                        for at, answer in enumerate(answers)
                        if isinstance(answer, BaseException) and not isinstance(answer, StockyardError)
                    ]
    assert not faults, "\n".join(faults)


COMMANDS = (
    "health", "health --json", "top --once", "top --once --json", "alerts list", "alerts list --history 5",
    "alerts list --silences", "queue counts", "queue workers", "queue metrics mail", "queue events mail",
    "schedule list", "job list mail active", "job list mail waiting --json", "job show mail runs",
    "job logs mail runs", "cache stats",
)  # fmt: skip
SHOWN = (
    (":mail:wait", "hash"), (":mail:active", "string"), (":mail:repeat", "list"), (":mail:runs", "set"),
    ("::alerts:desk:incidents", "list"),
    ("::alerts:desk:silences", "string"), ("::alerts:desk:history", "hash"),
)  # fmt: skip


def test_no_command_ends_in_a_traceback(
    redis_url: str, prefix: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOCKYARD_CACHE_BYTES", "1mb")

    async def begin() -> None:
        async with App(desk, redis_url, prefix=prefix) as app:
            with redis.Redis.from_url(redis_url, decode_responses=True) as raw:
                await populate(app, raw, prefix)

    asyncio.run(begin())
    where = [f"--redis-url={redis_url}", f"--prefix={prefix}", "--app=tests.integration.test_foreign_values:desk"]
    with redis.Redis.from_url(redis_url) as raw:
        kept = Kept(raw, prefix)
        damages: list[Callable[[], Any]] = [
            *(partial(kept.replace, f"{prefix}{name}".encode(), TYPES[kind]) for name, kind in SHOWN),
            partial(raw.hset, f"{prefix}:mail:runs", "processedOn", "-1e18"),
            partial(raw.hset, f"{prefix}::alerts:desk:incidents", "failed/mail", '{"since":-1e30}'),
        ]
        for damage in damages:
            with kept.damaged(damage):
                for command in COMMANDS:
                    assert main([*command.split(), *where]) in (0, 1, 2), command
                    capsys.readouterr()
        with kept.damaged(damages[0]):
            assert main(["health", *where]) == 1
            shown = capsys.readouterr()
            assert "DAMAGE  mail: wait: WRONGTYPE" in shown.err
            assert "parcels" in shown.out
            assert main(["queue", "counts", *where]) == 1
            shown = capsys.readouterr()
            assert "queue 'mail' cannot be counted: wait: WRONGTYPE" in shown.err
            assert "parcels" in shown.out
