"""Every page, on queues with jobs in every state: what it shows, that it is well formed and safe."""

import asyncio
from typing import Any

import pytest

from stockyard import Channel, Flow, Job, JobState
from stockyard.dashboard.views import lists
from stockyard.dashboard.views.all_views import VIEWS
from stockyard.model.stack_note import StackNote
from tests.integration.dashboard.conftest import Open, Page, Person
from tests.support.waiting import eventually
from tests.support.yard import Yard

HOSTILE = "<script>alert(1)</script>\"'&\u202e"


async def handle(job: Job[Any]) -> Any:
    await job.log(f"at {job.name}")
    if job.name == "bad":
        raise ValueError(f"order {job.id} has no margin {HOSTILE}")
    if job.name == "slow":
        await asyncio.Event().wait()
    return {"of": job.id}


async def filled(yard: Yard) -> None:
    """Make jobs in every state."""
    queue = yard.queue("orders:new", attempts=1)
    yard.queue("reports")
    await queue.add("good", {"symbol": "BTCUSDT"}, job_id="good-1")
    await queue.add("bad", {"symbol": HOSTILE}, job_id="bad-1")
    await queue.add("bad", {"symbol": "X"}, job_id="bad-2")
    await queue.add("slow", job_id="slow-1")
    await yard.work(handle, "orders:new", grace=0, concurrency=10)
    await eventually(lambda: has(yard, "orders:new", completed=1, failed=2, active=1))
    await queue.pause()
    await queue.add("later", {"n": 1}, job_id="later-1", delay="1h")
    await queue.add("first", job_id="first-1", priority=5)
    await queue.add(HOSTILE, {"k": HOSTILE}, job_id="odd '\"<>&/%20 id")
    await yard.app.flows.add(
        Flow(
            "parent", "reports", job_id="p", children=[Flow("child", "reports", job_id=f"c{n}") for n in range(3)]
        )
    )
    await yard.app.schedules("reports").upsert(
        "close", cron="0 18 * * MON-FRI", tz="America/New_York", name="report"
    )


async def has(yard: Yard, name: str, **expected: int) -> bool:
    counts = await yard.queue(name).counts()
    return all(counts[JobState(state)] == number for state, number in expected.items())


def check(page: Page) -> None:
    """Check what holds of every page: it is labelled, has one heading, and nothing inline or from elsewhere."""
    assert len(page.all("h1")) == 1
    scripts = page.all("script")
    assert [each["src"].partition("?")[0] for each in scripts] == ["/static/app.js"]
    labels = {each.get("for") for each in page.all("label")}
    ids = [each["id"] for _, each in page.elements if "id" in each]
    assert sorted(ids) == sorted(set(ids))
    for tag, attributes in page.elements:
        assert "style" not in attributes, (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        for name in ("href", "src", "action", "formaction"):
            assert not attributes.get(name, "").startswith(("http", "//", "javascript")), attributes
        if tag == "th":
            assert attributes.get("scope") in ("col", "row")
        if tag == "img":
            assert "alt" in attributes
    for each in page.all("input"):
        if each.get("type") != "hidden" and "aria-label" not in each and each.get("id") in (None, "find"):
            assert each.get("id") in labels or each.get("name") in ("q", "find", "name", "token"), each


PAGES = [f"/{view.name}" for view in VIEWS.values() if view.has_menu and view.name != "overview"]
PAGES += ["/", "/search?q=good", "/failures?queue=orders%3Anew", "/effects?outcome=failed"]
PAGES += [f"/queue?name=orders:new&state={state}" for state in JobState if state != JobState.UNKNOWN]
PAGES += ["/queue?name=orders:new&state=failed&find=error:margin", "/queue?name=reports&state=waiting&size=100"]
PAGES += [f"/job?queue=orders:new&id={job}" for job in ("good-1", "bad-1", "slow-1", "later-1", "first-1")]
PAGES += [
    "/job?queue=orders:new&id=odd%20'%22%3C%3E%26/%2520%20id",
    "/job?queue=reports&id=p",
    "/flow?queue=reports&id=c1",
]


async def test_every_page_is_well_formed_and_safe(yard: Yard, visit: Open) -> None:
    await filled(yard)
    person = visit()
    for path in PAGES:
        check(await person.see(path))


async def test_the_overview_shows_every_queue(yard: Yard, visit: Open) -> None:
    await filled(yard)
    page = await visit().see("/")
    assert "orders:new paused" in page.text
    assert "reports" in page.text
    assert len([each for each in page.all("svg") if each.get("class") == "chart"]) == 2
    assert any(each.get("data-stream") == "/stream/overview" for each in page.all("div"))


async def test_a_queue_shows_the_jobs_of_a_state(yard: Yard, visit: Open) -> None:
    await filled(yard)
    person = visit()
    failed = await person.see("/queue?name=orders:new&state=failed")
    assert "bad-1" in failed.text
    assert "has no margin" in failed.text
    assert "good-1" not in failed.text
    delayed = await person.see("/queue?name=orders:new&state=delayed")
    assert any(
        each.get("formaction") == "/do/promote?queue=orders%3Anew&id=later-1" for each in delayed.all("button")
    )
    some = await person.see("/queue?name=orders:new&state=failed&find=data.symbol:X")
    assert "bad-2" in some.text
    assert "bad-1" not in some.text
    assert not any("data-stream" in each for each in some.all("div"))


async def test_pages_of_a_queue_follow_each_other(yard: Yard, visit: Open) -> None:
    queue = yard.queue("q")
    await queue.add_many([("job", {"n": n}, {"job_id": f"j{n:02}"}) for n in range(30)])
    person = visit()
    first = await person.see("/queue?name=q&state=waiting")
    assert "j00" in first.text
    assert "j25" not in first.text
    assert any(each.get("href") == "/queue?name=q&state=waiting&page=2&size=25" for each in first.all("a"))
    second = await person.see("/queue?name=q&state=waiting&page=2&size=25")
    assert "j29" in second.text
    assert "j24" not in second.text


async def test_a_job_shows_what_happened_to_it(yard: Yard, visit: Open) -> None:
    await filled(yard)
    person = visit()
    bad = await person.see("/job?queue=orders:new&id=bad-1")
    for text in ("order bad-1 has no margin", "added", "started", "failed", "at bad", "Traceback", "Attempt 1"):
        assert text in bad.text
    later = await person.see("/job?queue=orders:new&id=later-1")
    assert "due" in later.text
    first = await person.see("/job?queue=orders:new&id=first-1")
    assert "Ahead of it" in first.text
    parent = await person.see("/job?queue=reports&id=p")
    assert "3 unprocessed" in parent.text


async def test_a_job_names_its_cause(yard: Yard, visit: Open) -> None:
    await yard.queue("signals").add("evaluate", job_id="s-1")
    orders = yard.queue("orders")
    await orders.add("submit", job_id="o-1", correlation_id="day-1", causation_id="signals/s-1")
    await orders.add("submit", job_id="o-2", causation_id="tick-9")
    person = visit()
    page = await person.see("/job?queue=orders&id=o-1")
    links = {each.get("href") for each in page.all("a")}
    assert {"/job?queue=signals&id=s-1", "/search?q=correlation%3Aday-1"} <= links
    assert "s-1 of signals" in page.text
    assert "Cause tick-9" in (await person.see("/job?queue=orders&id=o-2")).text
    assert "Cause" not in (await person.see("/job?queue=signals&id=s-1")).text


async def test_a_flow_is_a_graph_from_its_root(yard: Yard, visit: Open) -> None:
    await filled(yard)
    page = await visit().see("/flow?queue=reports&id=c1")
    nodes = [each for each in page.all("a") if each.get("class", "").startswith("node")]
    assert [each["href"] for each in nodes] == [f"/job?queue=reports&id={job}" for job in ("p", "c0", "c1", "c2")]
    assert nodes[2]["class"] == "node state-waiting current"


async def test_a_schedule_is_said_in_words(yard: Yard, visit: Open) -> None:
    await filled(yard)
    assert "at 18:00 on weekdays, in New York" in (await visit().see("/schedules")).text


async def test_failures_are_grouped(yard: Yard, visit: Open) -> None:
    await filled(yard)
    page = await visit().see("/failures")
    assert "1 kind of failure among 2 failed jobs" in page.text
    assert "ValueError" in page.text


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/nothing", 404, "no such page"),
        ("/a/b", 404, "nothing is at this address"),
        ("/queue?name=none", 404, "none"),
        ("/queue", 400, "needs 'name'"),
        ("/queue?name=q&state=lost", 400, "state"),
        ("/job?queue=q&id=none", 404, "has no job"),
        ("/flow?queue=q&id=none", 404, "has no job"),
        ("/operation?id=none", 400, "no such operation"),
        ("/effects?outcome=lost", 400, "outcome"),
    ],
)
async def test_what_is_not_there_is_said(yard: Yard, visit: Open, path: str, status: int, text: str) -> None:
    yard.queue("q")
    assert text in (await visit().see(path, status)).text


async def test_a_server_that_is_away_is_said() -> None:
    import httpx

    from stockyard import App, Topology
    from stockyard.dashboard import Dashboard

    topology = Topology("away")
    topology.queue("q")
    app = App(topology, "redis://127.0.0.1:1", call_timeout=0.2)
    board = Dashboard(app, unprotected=True)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(board), base_url="http://board.test") as client:
        page = await Person(client).see("/", 503)
    assert "does not answer" in page.text
    await app.aclose()


async def test_a_queue_with_shards_has_its_pages(yard: Yard, visit: Open) -> None:
    queue = yard.queue("spread", shards=3)
    await queue.add_many([("job", {"n": n}, {"job_id": f"j{n}"}) for n in range(9)])
    person = visit()
    page = await person.see("/queue?name=spread&state=waiting")
    assert all(f"j{n}" in page.text for n in range(9))
    check(await person.see("/job?queue=spread&id=j3"))
    check(await person.see("/search?q=data.n:4"))
    assert "no part in flows" in (await person.see("/flow?queue=spread&id=j3", 400)).text


async def test_a_stuck_run_shows_where_its_handler_stands(
    yard: Yard, visit: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "_NOTED_SECONDS", 0.0)
    await filled(yard)
    job = await yard.queue("orders:new").get_job("slow-1")
    assert job is not None
    await job.log(StackNote(1, "it has run for 301 s", 'File "desk.py", line 3, in place').line())
    person = visit()
    for path in ("/workers", "/job?queue=orders:new&id=slow-1"):
        page = await person.see(path)
        assert "it has run for 301 s" in page.text
        assert 'File "desk.py", line 3, in place' in page.text
        check(page)


async def test_channels_of_other_programs_are_shown(yard: Yard, visit: Open, redis_url: str, prefix: str) -> None:
    person = visit()
    assert "No channel keeps messages" in (await person.see("/channels")).text
    async with Yard(redis_url, prefix) as other:
        fills = other.app.channel(Channel("fills", int, durable=True))
        await fills.publish_many([1, 2, 3])
        async with (
            fills.consume("ledger") as messages,
            other.app.channel(Channel("prices", int)).subscribe(),
        ):
            await anext(messages)
            text = (await person.see("/channels")).text
    assert "fills durable Messages 3, since" in text
    assert "ledger" in text
    assert "prices live Listeners 1" in text
    assert "In this process" not in text
    await yard.app.channel(Channel("fills", int, durable=True)).publish(4)
    page = await person.see("/channels")
    assert "1 published" in page.text
    check(page)


async def test_a_canary_is_shown_with_its_share(yard: Yard, visit: Open) -> None:
    queue = yard.queue("released", version=1)
    person = visit()
    assert "Canary" not in (await person.see("/queue?name=released")).text
    await queue.set_canary(2, 0.05)
    page = await person.see("/queue?name=released")
    assert "workers of version 2 run 5% of the jobs of older versions" in page.text
