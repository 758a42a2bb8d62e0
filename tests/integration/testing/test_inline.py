"""Jobs that run as they are added."""

from typing import Any

import pytest

from stockyard import App, InvalidOption, Job, JobState, PayloadError, Topology
from stockyard.testing import assert_enqueued, inline


async def test_an_add_returns_when_its_job_has_run(stockyard_topology: Topology, stockyard_app: App) -> None:
    mail, sms = stockyard_topology.queue("mail"), stockyard_topology.queue("sms", attempts=2)
    ran: list[Any] = []

    @mail.handler("welcome")
    async def welcome(job: Job[dict[str, Any]]) -> dict[str, Any]:
        code = await stockyard_app.queue("sms").add("code", job.data["to"])
        return {"code": code.return_value}

    @sms.handler("code")
    async def code(job: Job[str]) -> str:
        ran.append(job.attempt)
        if job.attempt == 1:
            raise ValueError("once")
        return f"code of {job.data}"

    queue = stockyard_app.queue("mail")
    async with inline(stockyard_app):
        job = await queue.add("welcome", {"to": "a"})
        assert job.return_value == {"code": "code of a"}
        assert ran == [1, 2]
        several = await queue.add_many([("welcome", {"to": "b"}), ("welcome", {"to": "c"})])
        assert [each.return_value["code"] for each in several] == ["code of b", "code of c"]
        later = await queue.add("welcome", {"to": "d"}, delay="1h")
        assert await later.state() is JobState.DELAYED
        with pytest.raises(PayloadError):
            await queue.add("welcome", object())
    await queue.add("welcome", {"to": "e"})
    await assert_enqueued(queue, data={"to": "e"}, count=1)


async def test_a_failure_is_raised_where_the_job_was_added(
    stockyard_topology: Topology, stockyard_app: App
) -> None:
    spec = stockyard_topology.queue("mail")

    @spec.handler("welcome")
    async def welcome(job: Job[Any]) -> None:
        raise KeyError("no such address")

    async with inline(stockyard_app, "mail"):
        with pytest.raises(KeyError, match="no such address"):
            await stockyard_app.queue("mail").add("welcome")
        with pytest.raises(InvalidOption, match="runs inline already"):
            async with inline(stockyard_app, "mail"):
                pass
