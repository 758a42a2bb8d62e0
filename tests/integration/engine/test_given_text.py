"""Text that the server cannot hold, and ids of a wrong type: refused wherever they are given, by one check."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from stockyard import (
    App,
    Backoff,
    Channel,
    ConfigError,
    Deduplication,
    Flow,
    InvalidOption,
    Job,
    JobFailed,
    ParentRef,
    PayloadError,
    Topology,
)
from tests.support.yard import Yard

HALF = "a\ud800"

GIVEN: dict[str, Callable[[App], Awaitable[Any]]] = {
    "a name": lambda app: app.queue("q").add(HALF),
    "a payload": lambda app: app.queue("q").add("x", {"a": [HALF]}),
    "a key of a payload": lambda app: app.queue("q").add("x", {HALF: 1}),
    "many": lambda app: app.queue("q").add_many([("x", HALF)]),
    "a job id": lambda app: app.queue("q").add("x", job_id=HALF),
    "a deduplication": lambda app: app.queue("q").add("x", deduplication=HALF),
    "a deduplication's id": lambda app: app.queue("q").add("x", deduplication=Deduplication(HALF)),
    "a parent": lambda app: app.queue("q").add("x", parent=ParentRef("q", HALF)),
    "a parent's queue": lambda app: app.queue("q").add("x", parent=ParentRef(HALF, "1")),
    "a parent's prefix": lambda app: app.queue("q").add("x", parent=ParentRef("q", "1", HALF)),
    "a strategy": lambda app: app.queue("q").add("x", backoff=Backoff(HALF, 1)),
    "telemetry": lambda app: app.queue("q").add("x", telemetry=HALF),
    "a flow": lambda app: app.flows.add(Flow("x", "q", HALF)),
    "an id to find": lambda app: app.queue("q").get_job(HALF),
    "an id to remove": lambda app: app.queue("q").remove(HALF),
    "an id of a tree": lambda app: app.flows.get("q", HALF),
    "an owner": lambda app: app.queue("q").deduplication_owner(HALF),
    "an id to free": lambda app: app.queue("q").release_deduplication(HALF),
    "an event": lambda app: app.queue("q").publish_event(HALF),
    "an event's field": lambda app: app.queue("q").publish_event("x", {HALF: "y"}),
    "an event's value": lambda app: app.queue("q").publish_event("x", {"y": HALF}),
    "a schedule": lambda app: app.schedules("q").upsert(HALF, every="1h"),
    "a schedule's name": lambda app: app.schedules("q").upsert("s", every="1h", name=HALF),
    "a schedule's payload": lambda app: app.schedules("q").upsert("s", every="1h", data=HALF),
    "a schedule to find": lambda app: app.schedules("q").get(HALF),
    "a schedule to remove": lambda app: app.schedules("q").remove(HALF),
    "a cached key": lambda app: app.cache("c").set(HALF, 1),
    "a cached value": lambda app: app.cache("c").set("k", HALF),
    "a key to read": lambda app: app.cache("c").get(HALF),
    "a group": lambda app: _consumed(app, HALF),
    "a consumer": lambda app: _consumed(app, "group", HALF),
    "a group to forget": lambda app: app.channel(Channel("c", Any, durable=True)).delete_group(HALF),
    "a reason to cancel": lambda app: _cancelled(app),
    "a rule to silence": lambda app: app.alerts.silence(HALF, duration="1m"),
    "a queue to silence": lambda app: app.alerts.silence(queue=HALF, duration="1m"),
    "a reason of a silence": lambda app: app.alerts.silence(duration="1m", reason=HALF),
    "a message": lambda app: _published(app, HALF),
}


async def _cancelled(app: App) -> None:
    job = await app.queue("other").add("x")
    await job.cancel(HALF)


async def _published(app: App, message: Any) -> None:
    await app.channel(Channel("c", Any)).publish(message)


async def _consumed(app: App, *names: str) -> None:
    async with app.channel(Channel("c", Any, durable=True)).consume(*names):
        pass


@pytest.mark.parametrize("given", GIVEN)
async def test_half_a_character_is_refused_wherever_it_is_given(yard: Yard, given: str) -> None:
    queue, _ = yard.queue(), yard.queue("other")
    with pytest.raises((InvalidOption, PayloadError)):
        await GIVEN[given](yard.app)
    assert await queue.count() == 0


def test_half_a_character_is_in_no_name_of_a_declaration() -> None:
    for declare in (
        lambda: Topology(HALF),
        lambda: Topology("t").queue(HALF),
        lambda: App(Topology("t"), "redis://127.0.0.1:1", prefix=HALF),
    ):
        with pytest.raises(ConfigError, match=r"lone surrogates.*'a\\ud800'"):
            declare()


async def _log(job: Job[Any]) -> Any:
    await job.log(HALF)


async def _report(job: Job[Any]) -> Any:
    await job.update_progress({"at": HALF})


async def _change(job: Job[Any]) -> Any:
    await job.update_data(HALF)


async def _return(job: Job[Any]) -> Any:
    return HALF


async def _raise(job: Job[Any]) -> Any:
    raise ValueError(HALF)


@pytest.mark.parametrize("handler", [_log, _report, _change, _return, _raise])
async def test_a_job_ends_whatever_text_its_handler_gives(yard: Yard, handler: Any) -> None:
    job = await yard.queue().add("x", attempts=1)
    await yard.work(handler)
    with pytest.raises(JobFailed):
        await job.wait_for_result("25s")
    assert (await job.refresh()).failed_reason


@pytest.mark.parametrize("given", [5, None, "", b"1", 1.5])
async def test_an_id_that_is_no_text_is_named(yard: Yard, given: Any) -> None:
    queue = yard.queue()
    calls = (queue.get_job, queue.remove, queue.deduplication_owner, queue.release_deduplication)
    for call in (*calls, lambda job_id: yard.app.flows.get("q", job_id)):
        with pytest.raises(InvalidOption, match="must be non-empty text; got"):
            await call(given)


async def test_a_line_of_a_log_is_text(yard: Yard) -> None:
    job = await yard.queue().add("x")
    assert await job.log("") == 1
    with pytest.raises(InvalidOption, match="a line of a job's log must be text; got 5"):
        await job.log(5)  # type: ignore[arg-type]


async def test_a_very_large_payload_is_warned_of(yard: Yard, caplog: pytest.LogCaptureFixture) -> None:
    queue = yard.queue()
    name = f"large-{queue.name}"
    for _ in range(3):
        await queue.add(name, "x" * (5 * 2**20))
    (record,) = [each for each in caplog.records if each.name == "stockyard.produce.large_payloads"]
    assert f"the payload of job '{name}' has 5.0 MiB" in record.getMessage()
    caplog.clear()
    await queue.add("small", "x" * 1000)
    assert caplog.records == []


async def test_no_payload_and_null_are_not_the_same(yard: Yard) -> None:
    queue = yard.queue()
    left_out, none, many, in_flow = (
        await queue.add("x"),
        await queue.add("x", None),
        (await queue.add_many([("x",), ("x", None)])),
        await yard.app.flows.add(Flow("x", "q", None, [Flow("x", "q")])),
    )
    jobs = [left_out, none, *many, *in_flow]
    expected: list[Any] = [{}, None, {}, None, None, {}]
    assert [job.data for job in jobs] == expected
    assert [(await job.refresh()).data for job in jobs] == expected


async def test_an_empty_id_is_refused_and_attempts_may_be_0(yard: Yard) -> None:
    queue = yard.queue()
    with pytest.raises(InvalidOption, match="job_id must be non-empty text; got ''"):
        await queue.add("x", job_id="")
    assert (await queue.add("x", job_id=None)).id == "1"
    assert (await queue.add("x", attempts=0)).options.attempts == 0


async def test_an_id_of_three_parts_is_as_good_as_any(yard: Yard) -> None:
    queue = yard.queue()

    async def echo(job: Job[Any]) -> Any:
        return job.id

    job = await queue.add("x", job_id="a:b:c")
    await yard.work(echo)
    assert await job.wait_for_result("25s") == "a:b:c"
    await job.remove()
    assert await queue.get_job("a:b:c") is None
    for given in ("a:b", "a:b:c:d", "repeat:a:1", "de:a:b", "a:1:lock", "0:a:b", ":a:b"):
        with pytest.raises(InvalidOption, match="job_id"):
            await queue.add("x", job_id=given)
    with pytest.raises(InvalidOption, match="has colons"):
        await queue.add("x", job_id="a:b:c", parent=ParentRef("q", "1"))
    with pytest.raises(InvalidOption, match="has colons"):
        await yard.app.flows.add(Flow("x", "q", job_id="a:b:c", children=[Flow("x", "q")]))


@pytest.mark.parametrize("tied", [False, True])
async def test_an_add_on_an_existing_id_returns_what_is_stored(yard: Yard, tied: bool) -> None:
    queue = yard.queue()
    ties: Any = {"parent": await queue.add("above")} if tied else {}
    first = await queue.add("one", {"n": 1}, job_id="same", delay="1h", **ties)
    (second,) = await queue.add_many([("two", {"n": 2}, {"job_id": "same", **ties})])
    third = await queue.add("three", {"n": 3}, job_id="same", **ties)
    assert (first.was_added, second.was_added, third.was_added) == (True, False, False)
    for job in (second, third):
        assert (job.id, job.name, job.data, job.delay_ms) == ("same", "one", {"n": 1}, 3_600_000)


async def test_a_deduplicated_add_returns_the_owner(yard: Yard) -> None:
    queue = yard.queue()
    first = await queue.add("one", 1, deduplication="d")
    second = await queue.add("two", 2, deduplication="d")
    assert (second.was_added, second.id, second.name, second.data) == (False, first.id, "one", 1)


async def test_a_large_stored_payload_is_read_by_itself(yard: Yard) -> None:
    queue = yard.queue()
    text = "x" * (3 * 2**20)
    for job_id in ("a", "b"):
        await queue.add("x", text, job_id=job_id)
    again = await queue.add_many([("x", 1, {"job_id": "a"}), ("x", 1, {"job_id": "b"})])
    assert [(job.was_added, job.data == text) for job in again] == [(False, True), (False, True)]
