"""What a client is offered before it asks anything; without a server."""

import pytest

from stockyard import App, Topology

pytest.importorskip("mcp", reason="comes with an extra: `make install`")

from mcp import Client

from stockyard.mcp import mcp_server


async def test_arguments_are_described_and_bounded() -> None:
    async with App(Topology("shop"), "redis://127.0.0.1:1") as app, Client(mcp_server(app)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        count = tools["search_jobs"].input_schema["properties"]["count"]
        assert (count["minimum"], count["maximum"], count["default"]) == (1, 50, 20)
        assert tools["search_jobs"].input_schema["required"] == ["text"]
        refused = await client.call_tool("search_jobs", {"text": "x", "queue": "mail", "count": 1_000})
    assert refused.is_error


async def test_a_server_that_is_away_is_said_without_its_password() -> None:
    topology = Topology("shop")
    topology.queue("mail")
    async with (
        App(topology, "redis://:s3cret@127.0.0.1:1", call_timeout=1) as app,
        Client(mcp_server(app)) as client,
    ):
        for tool, arguments in {
            "health": {},
            "search_jobs": {"text": "x"},
            "show_job": {"queue": "mail", "job_id": "1"},
            "list_effects": {},
            "show_effect": {"key": "A1"},
        }.items():
            answer = await client.call_tool(tool, arguments)
            assert "s3cret" not in str(answer)
            assert answer.is_error
