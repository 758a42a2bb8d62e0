"""What the public doors say of a wrong argument, before they ask any server."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from stockyard import App, Backoff, Channel, InvalidOption, Keep, Rate, Settings, Topology

DOORS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "event types": (
        lambda app: app.events("q", only=5),
        "only must be a list of types of stock",
    ),
    "one id": (lambda app: app.events("q", job_ids="17"), "job_ids must be a list of ids; got '17'"),
    "jobs": (lambda app: app.queue("q").add_many(5), "jobs must be a list of tuples"),
    "states": (lambda app: app.queue("q").get_jobs(5), "state must be a list of states; got 5"),
    "page": (lambda app: app.queue("q").get_jobs("active", page=0), "page must be a whole number, 1 or more"),
    "priorities": (lambda app: app.queue("q").counts_per_priority(5), "priorities must be a list of whole"),
    "flows": (lambda app: app.flows.add_many(5), "flows must be a list of Flow values"),
    "keys": (lambda app: app.cache("c").get_many("abc"), "keys must be a list of texts; got 'abc'"),
    "key": (lambda app: app.cache("c").get(5), "a cache's key must be non-empty text; got 5"),
    "tags": (lambda app: app.cache("c").set("k", 1, tags="abc"), "tags must be a list of texts; got 'abc'"),
    "messages": (lambda app: app.channel(Channel("c")).publish_many(5), "values must be a list of messages"),
    "channel": (lambda app: app.channel("c"), "expected a Channel"),
    "rate": (lambda app: app.queue("q").set_rate(Rate(0, 1000)), "the max of rate must be a whole number, 1 or"),
    "keep": (
        lambda app: app.queue("q").add("x", remove_on_fail=Keep(age=-1)),
        "the age of remove_on_fail",
    ),
    "backoff": (lambda app: app.queue("q").add("x", backoff=Backoff("fixed", -1)), "the delay_ms of backoff must"),
    "schedule": (lambda app: app.schedules("q").upsert("s", every="5s", name=5), "name must be non-empty text"),
}


@pytest.mark.parametrize("door", DOORS)
async def test_a_wrong_argument_is_named(door: str) -> None:
    call, said = DOORS[door]
    topology = Topology("t")
    topology.queue("q")
    nowhere = Settings.load("redis://127.0.0.1:1", call_timeout=0.05, dotenv=None, environ={})
    app = App(topology, settings=nowhere)
    try:
        with pytest.raises(InvalidOption, match=said):
            await _answer(call, app)
    finally:
        await app.aclose()


async def _answer(call: Callable[[Any], Any], app: App) -> None:
    answer = call(app)
    if inspect.isawaitable(answer):
        await asyncio.wait_for(answer, 5)
