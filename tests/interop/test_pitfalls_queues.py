"""The protocol's pitfalls 15 to 27, those of queues and servers, and how we step around each."""

import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from stockyard import App, ConfigError, Job, JobState, Queue, Topology
from stockyard._store import inspecting
from stockyard.model.clock import system_clock
from tests.interop.conftest import Work
from tests.support.node import NodeObject, NodePeer, has_counts, is_in
from tests.support.servers import OwnServer
from tests.support.waiting import eventually

HOUR = 3_600_000


@pytest.fixture
def key(prefix: str) -> Callable[[str], str]:
    """Names a key of ``q``."""
    return lambda suffix: f"{prefix}:q:{suffix}"


async def test_pitfall_15_a_run_is_followed_as_soon_as_it_starts(
    queue: NodeObject, app: App, work: Work, raw: Any, key: Callable[[str], str]
) -> None:
    await app.schedules("q").upsert("s", every="1h", name="hang")
    first = int(raw.zscore(key("repeat"), "s"))
    run = raw.hgetall(key(f"repeat:s:{first}"))
    assert run["rjk"] == "s"
    assert json.loads(run["opts"])["repeat"]["every"] == HOUR
    assert raw.hget(key("repeat:s"), "ic") == "1"
    async with work():
        await eventually(lambda: is_in(queue, "active", f"repeat:s:{first}"))
        await eventually(lambda: is_in(queue, "delayed", f"repeat:s:{first + HOUR}"))
    assert raw.hget(key("repeat:s"), "ic") == "2"


async def test_pitfall_16_a_pause_is_a_field_that_is_there(
    queue: NodeObject, ours: Queue, work: Work, raw: Any, key: Callable[[str], str]
) -> None:
    await ours.pause()
    assert await queue.isPaused()
    await ours.resume()
    assert not raw.hexists(key("meta"), "paused")
    raw.hset(key("meta"), "paused", "0")
    added = await ours.add("echo", 1)
    async with work():
        # The worker has looked before it blocks, and left it where it is.
        await eventually(lambda: _blocking(raw) == 1)
        assert await added.state() == JobState.WAITING
        await ours.resume()
        assert await added.wait_for_result(5) == 1


async def test_pitfall_17_a_limit_set_by_hand_holds_our_limited_workers(
    node: NodePeer, queue: NodeObject, open_app: Callable[..., App], work: Work
) -> None:
    """Node's workers without a limit of their own do not see it: our documentation says so."""
    app = open_app(q={"rate": "1000/s"})
    ours = app.queue("q")
    await ours.rate_limit(0.4)
    added = await ours.add("echo", 1)
    async with work(app=app):
        assert await added.wait_for_result(5) == 1
    assert ((await added.refresh()).processed_on or 0) >= added.timestamp + 350
    await ours.rate_limit("1h")
    await node.worker("q")
    unheeded = await ours.add("echo", 2)
    assert await unheeded.wait_for_result(5) == 2


async def test_pitfall_18_a_clock_that_is_wrong_is_named(
    node: NodePeer, open_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = open_app(q={}, clock=lambda: system_clock() - HOUR)
    added = await late.queue("q").add("echo", 1, delay="1h")
    await node.worker("q")
    # On Node it would be due at once: it is due by the clock of the machine that added it. Ours corrects that.
    assert abs(added.timestamp - system_clock()) < HOUR / 2
    assert await added.state() is JobState.DELAYED
    wrong = SimpleNamespace(time=lambda: time.time() - 3600, perf_counter=time.perf_counter)
    monkeypatch.setattr(inspecting, "time", wrong)
    (finding,) = [each for each in await late.check_server() if each.check == "clock"]
    assert finding.severity == "danger"


async def test_pitfall_19_the_stream_is_kept_as_short_as_node_asked(
    node: NodePeer, ours: Queue, raw: Any, key: Callable[[str], str], work: Work
) -> None:
    queue = await node.queue("q", streams={"events": {"maxLen": 200}})
    await ours.add_many([("nothing", {})] * 1000)
    async with work(concurrency=20):
        await eventually(lambda: has_counts(queue, completed=1000))
    # A server trims by whole nodes of its list, of 100 entries each.
    assert raw.xlen(key("events")) <= 400
    assert raw.hget(key("meta"), "opts.maxLenEvents") == "200"


async def test_pitfall_20_times_are_whole_numbers(
    queue: NodeObject, ours: Queue, work: Work, raw: Any, key: Callable[[str], str]
) -> None:
    await ours.add("fail", {"reason": "no"}, delay=0.0015, attempts=2, backoff=0.0025)
    async with work():
        await eventually(lambda: is_in(queue, "failed", "1"))
    record = raw.hgetall(key("1"))
    numbers = ("timestamp", "delay", "priority", "processedOn", "finishedOn", "ats", "atm")
    assert all(record[field].isdigit() for field in numbers)
    assert raw.zscore(key("failed"), "1").is_integer()
    assert all(
        fields["delay"].isdigit() for _, fields in raw.xrange(key("events")) if fields["event"] == "delayed"
    )


async def test_pitfall_21_attempts_are_counted_at_their_end(
    queue: NodeObject, ours: Queue, work: Work, raw: Any, key: Callable[[str], str]
) -> None:
    seen: list[list[str | None]] = []

    async def handle(job: Job[Any]) -> None:
        seen.append(raw.hmget(key("1"), "atm", "ats", "attemptsMade"))
        raise RuntimeError("no")

    await ours.add("x", attempts=2)
    async with work(handle):
        await eventually(lambda: is_in(queue, "failed", "1"))
    assert seen == [[None, "1", None], ["1", "2", None]]
    assert raw.hmget(key("1"), "atm", "ats", "attemptsMade") == ["2", "2", None]


async def test_pitfall_22_large_integers_are_exact_among_us_and_as_text(
    node: NodePeer, ours: Queue, work: Work
) -> None:
    large = 2**53 + 1
    mine = await ours.add("echo", {"n": large, "text": str(large)})
    async with work():
        assert await mine.wait_for_result(5) == {"n": large, "text": str(large)}
    await node.worker("q")
    through_node = await ours.add("echo", {"n": large, "text": str(large)})
    assert await through_node.wait_for_result(5) == {"n": large - 1, "text": str(large)}


async def test_pitfall_23_a_worker_that_waits_blocks_nobody_else(
    redis_url: str, ours: Queue, work: Work, raw: Any
) -> None:
    async with work(drain_delay=60):
        await eventually(lambda: _blocking(raw) == 1)
        # Not on the connection that all else takes; its wait ends within ten seconds.
        added = await ours.add("echo", 1)
        assert await added.wait_for_result(5) == 1


async def test_pitfall_24_an_evicting_server_is_called_a_danger(
    make_server: Callable[..., OwnServer],
) -> None:
    server = make_server(options={"maxmemory": "100mb", "maxmemory-policy": "allkeys-lru"})
    topology = Topology("evicted")
    topology.queue("q")
    async with App(topology, redis=server.url) as app:
        (finding,) = [each for each in await app.check_server() if each.severity == "danger"]
    assert "allkeys-lru" in finding.cause


async def test_pitfall_25_our_connections_have_names_that_node_reads(
    queue: NodeObject, work: Work, raw: Any, prefix: str
) -> None:
    async with work(name="our-1"):
        assert [each["rawname"] for each in await queue.getWorkers()] == [f"{prefix}:cQ==:w:our-1"]
    assert await queue.getWorkersCount() == 0


def test_pitfall_26_overlapping_names_are_refused() -> None:
    topology = Topology("overlapping")
    topology.queue("portfolio:high_priority")
    with pytest.raises(ConfigError, match="lies inside"):
        topology.queue("portfolio")


async def test_pitfall_27_an_end_without_its_place_is_not_tried_again(
    queue: NodeObject, ours: Queue, work: Work, raw: Any, key: Callable[[str], str]
) -> None:
    ran: list[str] = []

    async def handle(job: Job[Any]) -> None:
        ran.append(job.id)
        if job.id == "1":
            raw.lrem(key("active"), 0, "1")

    await ours.add_many([("echo", 1), ("echo", 2)])
    async with work(handle, concurrency=1):
        await eventually(lambda: is_in(queue, "completed", "2"))
    assert ran == ["1", "2"]
    assert raw.zscore(key("completed"), "1") is None
    assert raw.hget(key("1"), "finishedOn") is None


def _blocking(raw: Any) -> int:
    return sum(each["cmd"] == "bzpopmin" for each in raw.client_list())
