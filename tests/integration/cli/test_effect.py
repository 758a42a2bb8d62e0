"""`stockyard effect`: what is unknown is listed, shown and settled."""

import asyncio
from typing import Any

import pytest

from stockyard import App, Job, JobFailed
from tests.integration.cli.conftest import Run
from tests.integration.cli.shop import shop


@pytest.fixture
def job_id(redis_url: str, prefix: str) -> str:
    """A job whose effect ``A1`` is unknown."""

    async def submit(job: Job[str]) -> None:
        async with job.effect("A1", max_duration="5s"):
            raise OSError("connection reset")

    async def run() -> str:
        async with App(shop, redis_url, prefix=prefix) as app:
            worker = app.worker(shop.names[0], submit)
            running = asyncio.create_task(worker.run())
            job = await app.queue(shop.names[0]).add("x", "A1", check=False, attempts=1)
            with pytest.raises(JobFailed):
                await job.wait_for_result(20)
            await worker.stop()
            await running
            return job.id

    return asyncio.run(run())


def test_unknown_effects_are_listed_and_shown(run: Run, job_id: str) -> None:
    listed = run("effect", "list").out
    assert "A1" in listed
    assert "unknown" in listed
    found: Any = run("effect", "list", "--json").json()
    (record,) = found
    assert (record["key"], record["job_id"], record["may_have_applied"]) == ("A1", job_id, True)
    assert run("effect", "list", "committed", "--json").json() == []
    shown = run("effect", "show", "A1")
    assert shown.status == 0
    assert "connection reset" in shown.out
    assert run("effect", "show", "A2").status == 2


def test_an_effect_is_settled_with_a_note_that_is_kept(run: Run, job_id: str) -> None:
    done = run("effect", "resolve", "A1", "not-applied", "--note", "asked the desk")
    assert done.status == 0
    assert f"stockyard job retry {shop.names[0]} {job_id}" in done.out
    audit: Any = run("effect", "list", "--audit", "--json").json()
    (entry,) = audit
    assert (entry["key"], entry["outcome"], entry["note"]) == ("A1", "failed", "asked the desk")
    assert entry["by"].startswith("person (")
    assert "asked the desk" in run("effect", "list", "--audit").out
    assert run("effect", "resolve", "A1", "applied", "--note", "it was there after all").status == 0
    again = run("effect", "resolve", "A1", "not-applied", "--note", "no")
    assert again.status == 2
    assert "committed already" in again.err


def test_a_note_is_asked_for(run: Run, job_id: str) -> None:
    assert run("effect", "resolve", "A1", "applied").status == 2
    assert run("effect", "resolve", "A1", "applied", "--note", " ").status == 2
