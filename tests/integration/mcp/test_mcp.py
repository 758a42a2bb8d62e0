"""The MCP server, asked by the client of its SDK: in this process, and over standard input and output."""

import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from stockyard import App, Job, JobFailed, Topology
from tests.support.documents import ROOT
from tests.support.yard import Yard

pytest.importorskip("mcp", reason="comes with an extra: `make install`")

from mcp import Client, StdioServerParameters

from stockyard.mcp import mcp_server
from stockyard.mcp.bounds import REPLY

SECRET = "s3cr3t-of-the-desk"


@pytest.fixture
async def app(redis_url: str, prefix: str) -> AsyncIterator[App]:
    topology = Topology("desk")
    topology.queue("execution:orders")
    topology.queue("mail", attempts=1)
    async with App(topology, redis=redis_url, prefix=prefix) as app:
        yield app


async def ask(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    (content,) = result.content
    text = getattr(content, "text", "")
    assert len(text) < 2 * REPLY
    found: dict[str, Any] = msgspec.json.decode(text)
    return found


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return str(result.content)


async def test_tools_say_that_they_only_read(app: App) -> None:
    async with Client(mcp_server(app)) as client:
        tools = (await client.list_tools()).tools
    names = {tool.name for tool in tools}
    assert names == {"health", "search_jobs", "show_job", "list_effects", "show_effect"}
    for tool in tools:
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint
        assert not tool.annotations.destructive_hint
        assert tool.description


async def test_health_and_search_show_what_the_queues_hold(app: App) -> None:
    queue = app.queue("mail")
    await queue.pause()
    jobs = [await queue.add("welcome", {"to": f"user{n}@example.org"}) for n in range(5)]
    async with Client(mcp_server(app)) as client:
        seen = await ask(client, "health")
        (mail,) = [each for each in seen["queues"] if each["name"] == "mail"]
        assert mail["waiting"] == 5
        assert mail["paused"]
        assert seen["queues_left_out"] == 0
        found = await ask(client, "search_jobs", text="data.to:user3@example.org", queue="mail")
        assert [(job["id"], job["name"]) for job in found["jobs"]] == [(jobs[3].id, "welcome")]
        assert found["after"] is None
        two = await ask(client, "search_jobs", text="name:welcome", queue="mail", count=2)
        assert (len(two["jobs"]), two["jobs_left_out"]) == (2, 3)
        assert "'post'" in await refusal(client, "search_jobs", text="x", queue="post")
        shown = await ask(client, "show_job", queue="mail", job_id=jobs[0].id)
        assert shown["data"] == {"to": "user0@example.org"}
        assert shown["state"] == "waiting"
        assert "no job 'none'" in await refusal(client, "show_job", queue="mail", job_id="none")
        assert (await ask(client, "list_effects"))["effects"] == []
        assert "no effect 'A1'" in await refusal(client, "show_effect", key="A1")


async def test_all_queues_are_searched_where_none_is_named(redis_url: str, prefix: str) -> None:
    topology = Topology("shop")
    names = ("mail", "orders:new", "orders:old")
    for name in names:
        topology.queue(name)
    async with App(topology, redis_url, prefix=prefix) as app, Client(mcp_server(app)) as client:
        for name in names:
            await app.queue(name).pause()
            # More than a step reads at a time.
            await app.queue(name).add_many([("welcome", {"n": n, "of": name}) for n in range(250)])
        found = await ask(client, "search_jobs", text="data.n:7")
        assert [job["queue"] for job in found["jobs"]] == list(names)
        assert (found["after"], found["looked_at"]) == (None, 750)
        after, pages = None, list[str]()
        while True:
            page = await ask(client, "search_jobs", text="data.n:7", count=1, after=after)
            pages += [job["queue"] for job in page["jobs"]]
            if (after := page["after"]) is None:
                break
        assert pages == list(names)
        for wrong in ("x", "sms:", "mail:x", "1-0-1-0-0-5"):
            assert "after must be what a step" in await refusal(client, "search_jobs", text="x", after=wrong)
        assert "a search by id needs what to look for" in await refusal(client, "search_jobs", text="id:")


async def test_no_secret_and_no_large_payload_leaves(app: App) -> None:
    queue = app.queue("mail")
    data = {
        "password": SECRET,
        "url": f"redis://u:{SECRET}@host/0",
        "note": "x" * 1_000_000,
        "rows": list(range(9_999)),
    }
    jobs = [await queue.add("import", data, job_id=f"import-{n}") for n in range(3)]
    await jobs[0].log(f"Authorization: Bearer {SECRET}")
    await queue.add_many([("bulk", {f"field{n}": "y" * 900 for n in range(49)}) for _ in range(50)])
    async with Client(mcp_server(app)) as client, Client(mcp_server(app, payloads=False)) as discreet:
        for asked in (client, discreet):
            for tool, arguments in (
                ("search_jobs", {"text": "name:import", "queue": "mail"}),
                ("show_job", {"queue": "mail", "job_id": jobs[0].id}),
            ):
                text = str(await ask(asked, tool, **arguments))
                assert SECRET not in text
                assert ("note" in text) == (asked is client)
        bulk = await ask(client, "search_jobs", text="name:bulk", queue="mail", count=50)
        assert len(bulk["jobs"]) + bulk["jobs_left_out"] == 50
        assert bulk["jobs_left_out"] > 0
        assert len(msgspec.json.encode(bulk)) < REPLY + 1_000


async def test_effects_are_listed_and_shown_without_what_the_venue_answered(redis_url: str, prefix: str) -> None:
    async def submit(job: Job[str]) -> None:
        async with job.effect(job.data, max_duration="5s") as effect:
            if job.data == "A1":
                raise OSError(f"connection reset, token={SECRET}")
            effect.record({"fill": "of the venue"})

    async with Yard(redis_url, prefix) as yard:
        queue = yard.queue(attempts=1)
        await yard.work(submit)
        ended = [(await queue.add("x", key)).wait_for_result("20s") for key in ("A1", "A2")]
        with pytest.raises(JobFailed):
            await ended[0]
        await ended[1]
        async with (
            Client(mcp_server(yard.app)) as client,
            Client(mcp_server(yard.app, payloads=False)) as discreet,
        ):
            (unknown,) = (await ask(client, "list_effects"))["effects"]
            assert (unknown["key"], unknown["outcome"]) == ("A1", "unknown")
            assert "connection reset" in unknown["reason"]
            assert SECRET not in str(unknown)
            shown = await ask(client, "show_effect", key="A2", queue="q")
            assert shown["value"] == {"fill": "of the venue"}
            (committed,) = (await ask(discreet, "list_effects", outcome="committed"))["effects"]
            assert committed["key"] == "A2"
            assert "value" not in committed


async def test_the_command_serves_it_and_ends_with_its_input(redis_url: str, prefix: str, app: App) -> None:
    job: Job[Any] = await app.queue("mail").add("welcome", {"to": "ada"})
    settings = {"REDIS_URL": redis_url, "STOCKYARD_PREFIX": prefix, "STOCKYARD_APP": "examples.shop:shop"}
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "stockyard", "mcp"],
        env={**os.environ, **settings},
        cwd=str(ROOT),
    )
    async with Client(command) as client:
        shown = await ask(client, "show_job", queue="mail", job_id=job.id)
    assert shown["name"] == "welcome"
