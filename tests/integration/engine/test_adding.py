"""Adding jobs: where each kind of job is placed, what is refused, and how few calls it takes."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from stockyard import Backoff, Flow, InvalidOption, JobState, Keep, PayloadError
from tests.support.yard import Yard


def calls(raw: "redis.Redis", command: str = "evalsha") -> int:
    stats: Any = raw.info("commandstats")
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


async def test_a_job_is_stored_as_it_was_given(yard: Yard, raw: "redis.Redis", prefix: str) -> None:
    job = await yard.queue().add("greet", {"to": "Zoë", "list": [1, None, 2.5]}, attempts=3, backoff="2s")

    assert job.id == "1"
    stored: Any = raw.hgetall(f"{prefix}:q:1")
    assert stored["name"] == "greet"
    assert json.loads(stored["data"]) == {"to": "Zoë", "list": [1, None, 2.5]}
    assert json.loads(stored["opts"]) == {
        "attempts": 3,
        "backoff": {"type": "fixed", "delay": 2000},
        "removeOnComplete": {"age": 3600, "count": 10000},
        "removeOnFail": {"age": 604800, "count": 50000},
    }
    assert raw.lrange(f"{prefix}:q:wait", 0, -1) == ["1"]
    assert await job.state() is JobState.WAITING


async def test_no_payload_is_an_empty_object(yard: Yard) -> None:
    job = await yard.queue().add("tick")
    assert (await job.refresh()).data == {}


async def test_the_order_of_running_is_plain_then_by_priority(yard: Yard) -> None:
    queue = yard.queue()
    await queue.add("p5", priority=5)
    await queue.add("first")
    await queue.add("p1", priority=1)
    await queue.add("second")
    await queue.add("front", lifo=True)
    await queue.add("p5 again", priority=5)
    await queue.add("last of all", priority=2_097_151)
    ran: list[str] = []

    async def note(job: Any) -> None:
        ran.append(job.name)

    await yard.work(note, concurrency=1)
    await (await queue.add("end", priority=2_097_151)).wait_for_result(25)

    assert ran == ["front", "first", "second", "p1", "p5", "p5 again", "last of all", "end"]


async def test_a_delayed_job_runs_when_due_and_not_before(yard: Yard) -> None:
    queue = yard.queue()
    job = await queue.add("later", delay="300ms")
    assert await job.state() is JobState.DELAYED
    assert (await queue.counts())[JobState.DELAYED] == 1

    async def nothing(job: Any) -> None: ...

    await yard.work(nothing)
    await job.wait_for_result(25)

    done = await job.refresh()
    assert done.processed_on is not None
    assert done.processed_on >= job.timestamp + 300


async def test_a_custom_id_is_added_once(yard: Yard, raw: "redis.Redis", prefix: str) -> None:
    queue = yard.queue()
    first = await queue.add("pay", {"n": 1}, job_id="order-7")
    again = await queue.add("pay", {"n": 2}, job_id="order-7")

    assert first.id == again.id == "order-7"
    assert (await again.refresh()).data == {"n": 1}
    assert raw.llen(f"{prefix}:q:wait") == 1
    events: Any = raw.xrange(f"{prefix}:q:events")
    assert [fields["event"] for _, fields in events] == ["added", "waiting", "duplicated"]


async def test_a_custom_id_is_free_again_once_its_record_is_gone(yard: Yard) -> None:
    queue = yard.queue()
    job = await queue.add("pay", {"n": 1}, job_id="order-7")
    await job.remove()
    await queue.add("pay", {"n": 2}, job_id="order-7")
    assert (await job.refresh()).data == {"n": 2}


async def test_add_many_takes_tuples_of_each_length_and_keeps_the_order(yard: Yard) -> None:
    queue = yard.queue()
    jobs = await queue.add_many([("a",), ("b", {"n": 1}), ("c", [2], {"priority": 3, "job_id": "own"})])

    assert [(job.id, job.name, job.data, job.priority) for job in jobs] == [
        ("1", "a", {}, 0),
        ("2", "b", {"n": 1}, 0),
        ("own", "c", [2], 3),
    ]
    assert await queue.add_many([]) == []
    counts = await queue.counts()
    assert (counts[JobState.WAITING], counts[JobState.PRIORITIZED]) == (2, 1)


async def test_one_bad_job_of_add_many_adds_nothing(yard: Yard) -> None:
    queue = yard.queue()
    with pytest.raises(PayloadError, match="'b'"):
        await queue.add_many([("a", 1), ("b", object())])
    assert sum((await queue.counts()).values()) == 0


@pytest.mark.parametrize("given", ["a", ["a"], (), ("a", 1, {}, 2), ("a", 1, None), ("a", 1, 5), ("a", 1, {5: 1})])
async def test_add_many_says_what_it_takes(yard: Yard, given: Any) -> None:
    with pytest.raises(InvalidOption, match="tuples"):
        await yard.queue().add_many([given])


async def test_one_text_is_no_list_of_jobs(yard: Yard) -> None:
    with pytest.raises(InvalidOption, match=r"tuples .*; got 'abc'.*write \[\('price', "):
        await yard.queue().add_many("abc")  # type: ignore[arg-type]


async def test_adds_of_one_turn_travel_in_two_calls(yard: Yard, raw: "redis.Redis") -> None:
    queue = yard.queue()
    await queue.add("warm the connection and the script")
    before = calls(raw)
    jobs = await asyncio.gather(*(queue.add("together", {"n": n}) for n in range(50)))
    # The first half leaves while the second is still being made.
    assert calls(raw) - before == 2
    assert [job.id for job in jobs] == [str(n) for n in range(2, 52)]


async def test_many_adds_keep_their_order_over_several_calls(yard: Yard, raw: "redis.Redis", prefix: str) -> None:
    queue = yard.queue()
    before = calls(raw)
    jobs = await asyncio.gather(*(queue.add("together", n) for n in range(2500)))
    assert calls(raw) - before <= 60
    wait: Any = raw.lrange(f"{prefix}:q:wait", 0, -1)
    assert wait[::-1] == [job.id for job in jobs]


async def test_one_bad_add_leaves_its_neighbours_alone(yard: Yard) -> None:
    queue = yard.queue()
    answers = await asyncio.gather(
        queue.add("a"), queue.add("b", float("nan")), queue.add("\udcff"), queue.add("c"), return_exceptions=True
    )
    kinds = [type(each) for each in answers]
    assert kinds[1:3] == [PayloadError, InvalidOption]
    assert await queue.get_job("1") is not None
    assert (await queue.counts())[JobState.WAITING] == 2


async def test_a_cancelled_add_leaves_its_neighbours_alone(yard: Yard) -> None:
    queue = yard.queue()
    lost, kept = asyncio.create_task(queue.add("lost")), asyncio.create_task(queue.add("kept"))
    await asyncio.sleep(0)
    lost.cancel()
    job = await kept
    assert (await job.refresh()).name == "kept"
    alone = asyncio.create_task(queue.add("alone"))
    await asyncio.sleep(0)
    alone.cancel()
    await asyncio.wait([alone])
    assert (await (await queue.add("after")).refresh()).name == "after"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dealy": "5m"}, r"unknown option 'dealy'; did you mean 'delay'\? Known: job_id, delay"),
        ({"repeat": "1h"}, "unknown option 'repeat'"),
        ({"parent": {"id": "1"}}, r"parent must be a Job or ParentRef\(queue, id\)"),
        ({"deduplication": {"id": "x"}}, r"deduplication must be an id .* or Deduplication\(id"),
        ({"expire_after": "2s"}, "unknown option 'expire_after'"),
        ({"delay": -1}, "delay must not be negative.*-1"),
        ({"delay": "soon"}, "delay must be a duration.*'soon'"),
        ({"delay": float("nan")}, "delay must not be"),
        ({"delay": float("inf")}, "delay must not be"),
        ({"delay": 10**400}, "delay must not be"),
        ({"delay": 1e300}, "delay must not be"),
        ({"delay": True}, "delay must be a duration"),
        ({"priority": -1}, "priority must be a whole number from 0 to 2,097,151; got -1"),
        ({"priority": 2_097_152}, "priority must be a whole number from 0 to 2,097,151; got 2097152"),
        ({"priority": 1.5}, "priority must be"),
        ({"priority": True}, "priority must be"),
        ({"attempts": -1}, "attempts must be"),
        ({"attempts": "3"}, "attempts must be"),
        ({"backoff": "soon"}, "backoff must be a duration"),
        ({"backoff": {"type": "fixed"}}, "backoff must be a duration"),
        ({"lifo": 1}, "lifo must be True or False"),
        ({"timeout": 0}, "timeout must be 1 ms or longer"),
        ({"remove_on_complete": -1}, "remove_on_complete must be"),
        ({"remove_on_fail": "1h"}, "remove_on_fail must be"),
        ({"eta": datetime(9999, 1, 1, tzinfo=UTC)}, "eta must not be more than 100 years ahead"),
        ({"eta": 10**30}, "eta must be .* up to the year 9999"),
        ({"timestamp": 10**30}, "timestamp must be .* up to the year 9999"),
        ({"expires_at": 10**30}, "expires_at must be .* up to the year 9999"),
        ({"job_id": "12"}, "must not look like an integer.*'order-12'"),
        ({"job_id": "0"}, "must not look like an integer"),
        ({"job_id": "-3"}, "must not look like an integer"),
        ({"job_id": "meta"}, "names one of the queue's own keys"),
        ({"job_id": "wait"}, "names one of the queue's own keys"),
        ({"job_id": "a:b"}, "must not contain ':'"),
        ({"job_id": 12}, "job_id must be non-empty text"),
        ({"job_id": "\udcff"}, "job_id"),
        ({"job_id": "x" * 2000}, "job_id"),
    ],
)
async def test_a_wrong_option_is_refused_and_nothing_is_written(
    yard: Yard, raw: "redis.Redis", prefix: str, options: Any, said: str
) -> None:
    queue = yard.queue()
    with pytest.raises(InvalidOption, match=said):
        await queue.add("x", {}, **options)
    with pytest.raises(InvalidOption, match=said):
        await queue.add_many([("x", {}, options)])
    assert raw.keys(f"{prefix}*") == []


@pytest.mark.parametrize("name", ["", None, 5, "\udcff"])
async def test_a_job_needs_a_name(yard: Yard, name: Any) -> None:
    with pytest.raises(InvalidOption, match="name must be"):
        await yard.queue().add(name)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (object(), "payload of 'x' is not JSON-able: objects of type object"),
        ({"a": {"b": [1, float("nan")]}}, r"NaN or an infinite number at \$\.a\.b\[1\]"),
        (float("inf"), "NaN or an infinite number"),
        ({"a": "\udcff"}, "not JSON-able"),
        ({(1, 2): 3}, "not JSON-able"),
        (lambda: None, "not JSON-able"),
    ],
)
async def test_a_payload_that_is_no_json_is_refused(yard: Yard, payload: Any, said: str) -> None:
    with pytest.raises(PayloadError, match=said):
        await yard.queue().add("x", payload)


async def test_options_are_read_back_as_they_were_given(yard: Yard) -> None:
    job = await yard.queue().add(
        "x",
        attempts=4,
        backoff=Backoff.exponential("1s", jitter=0.5),
        delay="1h30m",
        priority=7,
        timeout="10s",
        remove_on_complete=True,
        remove_on_fail=Keep.within("1d", 5),
        job_id="own",
    )
    assert (await job.refresh()).options == job.options


async def test_a_queue_s_defaults_hold_where_add_says_nothing(yard: Yard) -> None:
    queue = yard.queue(attempts=3, backoff=Backoff.exponential("1s"), priority=10, timeout="1m")
    plain = (await (await queue.add("x")).refresh()).options
    assert (plain.attempts, plain.backoff, plain.priority, plain.timeout_ms) == (
        3,
        Backoff.exponential("1s"),
        10,
        60_000,
    )
    own = (await (await queue.add("x", attempts=1, priority=0, backoff=None, timeout=None)).refresh()).options
    assert (own.attempts, own.backoff, own.priority, own.timeout_ms) == (1, None, 0, None)


async def test_an_empty_id_is_refused_however_the_job_is_added(yard: Yard) -> None:
    queue = yard.queue()
    for add in (
        lambda: queue.add("x", job_id=""),
        lambda: queue.add_many([("x", 1), ("x", 2, {"job_id": ""})]),
        lambda: yard.app.flows.add(Flow("x", queue="q", children=[Flow("y", queue="q", job_id="")])),
    ):
        with pytest.raises(InvalidOption, match="job_id must be non-empty text"):
            await add()
    assert await queue.count() == 0
