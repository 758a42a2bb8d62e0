"""What the public doors say of a wrong argument, before they ask any server."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from stockyard import (
    App,
    Backoff,
    Channel,
    ConfigError,
    Deduplication,
    Flow,
    HandlerError,
    InvalidOption,
    Job,
    Keep,
    PayloadError,
    Rate,
    Settings,
    Topology,
)
from stockyard.model.options import JobOptions

UNTYPED_FLOW: Any = Flow
UNTYPED_DEDUPLICATION: Any = Deduplication

DOORS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "event types": (
        lambda app: app.events("q", only=5),
        "only must be a list of types of stock",
    ),
    "backoff strategies": (
        lambda app: app.worker("q", lambda job: 1, backoff_strategies={1: lambda *_: 0}),
        "backoff_strategies must be functions by name",
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
    "force": (lambda app: app.queue("q").obliterate(force="x"), "force must be True or False; got 'x'"),
    "delayed": (lambda app: app.queue("q").drain(delayed="no"), "delayed must be True or False; got 'no'"),
    "children": (lambda app: _job(app).remove(children="x"), "children must be True or False; got 'x'"),
    "queue's children": (lambda app: app.queue("q").remove("1", children=0), "children must be True or False"),
    "lifo": (lambda app: _job(app).change_priority(1, lifo="x"), "lifo must be True or False; got 'x'"),
    "attempts": (
        lambda app: _job(app).retry(reset_attempts=1),
        "reset_attempts must be True or False, 'made' or 'started'; got 1",
    ),
    "log lines": (lambda app: _job(app).logs("a"), "start must be a whole number; got 'a'"),
    "last log line": (lambda app: _job(app).logs(0, 1.5), "end must be a whole number; got 1.5"),
    "minutes": (lambda app: app.queue("q").metrics("failed", "a"), "start must be a whole number; got 'a'"),
    "schedules": (lambda app: app.schedules("q").list(0, None), "last must be a whole number; got None"),
    "event": (lambda app: app.queue("q").publish_event("m", 5), "fields must be text and numbers by name, "),
    "empty event": (lambda app: app.queue("q").publish_event("m", []), "fields must be text and numbers by name"),
    "values": (lambda app: app.cache("c").set_many(5), "values must be values by name, "),
    "loader": (lambda app: app.cache("c").get_or_set("k", 5), "loader must be a function; got 5"),
    "early": (
        lambda app: app.cache("c").get_or_set("k", dict, early=-1),
        "early must be a number of 0 or more; got -1",
    ),
    "memo": (lambda app: app.cache("c").memo(early="x"), "early must be a number of 0 or more; got 'x'"),
    "function": (lambda app: app.cache("c").memo(5), "function must be a function; got 5"),
    "topology": (lambda app: type(app)(5), "topology must be a Topology; got 5"),
    "settings": (lambda app: type(app)(app.topology, settings=5), "settings must be a Settings; got 5"),
    "port": (lambda app: app.serve_metrics(port="x"), "port must be a whole number from 0 to 65,535; got 'x'"),
    "large port": (lambda app: app.serve_metrics(port=99999), "port must be a whole number from 0 to 65,535"),
    "host": (lambda app: app.serve_metrics(5), "host must be text; got 5"),
    "check": (lambda app: app.queue("q").add("x", check="no"), "check must be True or False; got 'no'"),
    "check of many": (lambda app: app.queue("q").add_many([], check=0), "check must be True or False; got 0"),
    "check of a flow": (lambda app: app.flows.add(Flow("x", "q"), check=0), "check must be True or False; got 0"),
    "option of a flow": (
        lambda app: UNTYPED_FLOW("a", "q", dely=1),
        "unknown option 'dely' of flow 'a'; did you mean 'de",
    ),
    "replace": (lambda app: UNTYPED_DEDUPLICATION("a", replace=1), "replace must be True or False; got 1"),
    "keep last": (
        lambda app: UNTYPED_DEDUPLICATION("a", keep_last="x"),
        "keep_last must be True or False; got 'x'",
    ),
    "errors": (
        lambda app: app.topology.queue("r", autoretry_for="ValueError"),
        "autoretry_for must be exception classes, .*; got 'ValueError'",
    ),
    "executor": (lambda app: app.topology.spec("q").handler("x", executor="x")(len), "executor must be one of"),
    "no timing": (
        lambda app: app.schedules("q").upsert("s"),
        "a schedule needs either every or cron, or a calendar and session; got none",
    ),
    "two timings": (
        lambda app: app.schedules("q").upsert("s", every="5s", cron="* * * * *"),
        "a schedule needs either every or cron, not both; got every='5s', cron='. . . . .'",
    ),
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


async def test_a_type_of_a_result_is_looked_at_before_the_job_is_awaited() -> None:
    topology = Topology("t")
    topology.queue("q")
    nowhere = Settings.load("redis://127.0.0.1:1", call_timeout=0.05, dotenv=None, environ={})
    async with App(topology, settings=nowhere) as app:
        with pytest.raises(PayloadError, match="payload type 5 cannot be read from JSON"):
            await asyncio.wait_for(_job(app).wait_for_result(result_type=5), 5)


@pytest.mark.parametrize("name", [None, 5])
def test_a_queue_is_named_by_text(name: Any) -> None:
    with pytest.raises(ConfigError, match=rf"a queue's name is text .*; got {name}"):
        Topology("t").queue(name)


def test_a_handler_s_name_is_looked_at_before_its_function_is_there() -> None:
    with pytest.raises(HandlerError, match=r"a handler's name must be non-empty text, .*; got 5"):
        Topology("t").queue("q").handler(5)  # type: ignore[call-overload]


def test_a_url_is_text_and_another_value_is_not_quoted() -> None:
    url: Any = b"redis://:secret@h"
    for settings in ({"redis": url}, {"cache": url}):
        with pytest.raises(ConfigError, match=r"must be a URL as text, .*; got bytes") as raised:
            Settings.load(**settings, dotenv=None, environ={})
        assert "secret" not in str(raised.value)


def _job(app: App) -> Any:
    port = app._runtime().port(app.topology.spec("q"))
    return Job("1", "x", {}, JobOptions(), "q", 0, port)


async def _answer(call: Callable[[Any], Any], app: App) -> None:
    answer = call(app)
    if inspect.isawaitable(answer):
        await asyncio.wait_for(answer, 5)
