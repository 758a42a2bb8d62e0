"""What a type checker knows of a program that blocks: read by mypy with everything else, and never run."""

from collections.abc import Iterator
from typing import Any, assert_type

from msgspec import Struct

from stockyard import App, Channel, Flow, FlowTree, Job, JobState, QueueHealth, Schedule, Topology
from stockyard.blocking import (
    BlockingApp,
    BlockingCache,
    BlockingConsumer,
    BlockingDelivery,
    BlockingJob,
    BlockingQueue,
    BlockingQueueEvents,
    BlockingSubscription,
)
from stockyard.cache import Cache
from stockyard.events import Event, EventGap
from stockyard.pubsub import ConsumerGroup, Delivery, Message, MessageGap
from stockyard.trading import QueueName, get_queue


class Price(Struct):
    """A price."""

    symbol: str


shop = Topology("shop")
prices = Channel("prices", Price, durable=True)


def queues(app: App) -> None:
    """Add and read jobs."""
    queue = assert_type(app.queue("mail").sync, BlockingQueue)
    job = assert_type(queue.add("welcome", {"to": "a@b.c"}, delay="5m", priority=1), Job[Any])
    assert_type(queue.add_many([("a",), ("b", 1, {"priority": 2})]), list[Job[Any]])
    assert_type(queue.counts(), dict[JobState, int])
    assert_type(queue.get_job("1"), Job[Any] | None)
    queue.pause()
    assert_type(queue.name, str)
    assert_type(job.sync, BlockingJob[Any])
    assert_type(job.sync.wait_for_result("5s"), Any)
    assert_type(job.sync.wait_for_result(5, result_type=Price), Price)
    assert_type(job.sync.state(), JobState)
    assert_type(job.sync.refresh(), Job[Any])
    assert_type(job.sync.log("line"), int)
    assert_type(job.sync.children_values(), dict[str, Any])
    assert_type(get_queue(QueueName.STRATEGY_SIGNALS).sync, BlockingQueue)
    queue.add("welcome", delya="5m")  # type: ignore[call-arg]
    queue.add("welcome", delay=[])  # type: ignore[arg-type]
    queue.nothing()  # type: ignore[attr-defined]
    job.sync.progress = 5  # type: ignore[misc]


def handler(job: Job[Price]) -> None:
    """Know the payload in a plain function."""
    assert_type(job.sync.data, Price)
    job.sync.update_data(Price("A"))
    job.sync.update_data({"symbol": "A"})  # type: ignore[arg-type]


def apps(app: App) -> None:
    """Look at an app, its flows and its schedules."""
    with app.sync as blocking:
        assert_type(blocking, BlockingApp)
        assert_type(blocking.health("mail"), list[QueueHealth])
        assert_type(blocking.cache("c", int), Cache[int])
    assert_type(app.flows.sync.add(Flow("a", "mail")), FlowTree)
    assert_type(app.flows.sync.get("mail", "1"), FlowTree | None)
    schedules = app.schedules("mail").sync
    assert_type(schedules.upsert("s", every="5s", overlap="skip"), Schedule)
    assert_type(schedules.list(), tuple[Schedule, ...])
    assert_type(schedules.remove("s"), bool)
    schedules.upsert("s", evry="5s")  # type: ignore[call-arg]


def caches(app: App) -> None:
    """Remember answers."""
    cache = assert_type(app.cache("prices", Price).sync, BlockingCache[Price])
    assert_type(cache.get_or_set("a", lambda: Price("A"), "5m"), Price)
    assert_type(cache.get("a"), Price | None)
    assert_type(cache.get("a", 0), Price | int)
    assert_type(cache.peek("a"), Price | None)
    assert_type(cache.set("a", Price("A")), bool)
    assert_type(cache.get_many(["a"]), dict[str, Price])
    cache.set("a", 5)  # type: ignore[arg-type]


def channels(app: App) -> None:
    """Publish and read."""
    channel = app.channel(prices)
    channel.sync.publish(Price("A"))
    channel.sync.publish(5)  # type: ignore[arg-type]
    assert_type(channel.sync.groups(), list[ConsumerGroup])
    assert_type(channel.sync.read(), list[Message[Price]])
    with channel.consume("ledger").sync as messages:
        assert_type(messages, BlockingConsumer[Price])
        for message in messages:
            if isinstance(message, Delivery):
                assert_type(message.value, Price)
                assert_type(message.sync, BlockingDelivery[Price])
                message.sync.ack()
    with channel.subscribe().sync as live:
        assert_type(live, BlockingSubscription[Price])
        assert_type(iter(live), Iterator[Message[Price] | MessageGap])


def events(app: App) -> None:
    """Follow a queue."""
    with app.events("mail").sync as reader:
        assert_type(reader, BlockingQueueEvents)
        assert_type(reader.earlier(5), list[Event])
        for event in reader:
            assert_type(event, Event)
            if isinstance(event, EventGap):
                break
