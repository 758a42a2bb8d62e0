"""`stockyard why`: the path to a job, and its story."""

import asyncio
from typing import Any, cast

from stockyard import App
from tests.integration.cli.conftest import Run
from tests.integration.cli.shop import shop


def add_story(redis_url: str, prefix: str) -> None:
    async def add() -> None:
        async with App(shop, redis_url, prefix=prefix) as app:
            await app.queue("mail").add("welcome", {"name": "ada"}, job_id="m-1", causation_id="form-7")
            lineage: Any = {"correlation_id": "mail/m-1", "causation_id": "mail/m-1"}
            await app.queue("parcels").add("send", {"n": 1}, job_id="p-1", **lineage)
            await app.queue("parcels").add("send", {"n": 2}, job_id="p-2", **lineage)
            await app.queue("returns").add("send", job_id="r-1", **{**lineage, "causation_id": "parcels/p-1"})

    asyncio.run(add())


def test_the_path_to_a_job(run: Run, redis_url: str, prefix: str) -> None:
    add_story(redis_url, prefix)
    shown = run("why", "returns", "r-1")
    assert shown.status == 0
    lines = [line.split() for line in shown.out.splitlines()]
    path = [line[:4] for line in lines if line[:1] in (["mail"], ["parcels"], ["returns"])]
    assert path == [
        ["mail", "m-1", "welcome", "waiting"],
        ["parcels", "p-1", "send", "waiting"],
        ["returns", "r-1", "send", "waiting"],
    ]
    assert "it began with form-7" in shown.out
    for given in (("returns/r-1",), ("r-1",)):
        answer = cast("dict[str, Any]", run("why", *given, "--json").json())
        assert [each["id"] for each in answer["path"]] == ["m-1", "p-1", "r-1"]
        assert (answer["correlation_id"], answer["origin"], answer["has_gap"]) == ("mail/m-1", "form-7", False)


def test_all_jobs_of_a_story(run: Run, redis_url: str, prefix: str) -> None:
    add_story(redis_url, prefix)
    answer = cast("dict[str, Any]", run("why", "r-1", "--all", "--json").json())
    assert {each["id"] for each in answer["story"]} == {"m-1", "p-1", "p-2", "r-1"}
    assert "p-2" in run("why", "r-1", "--all").out


def test_what_cannot_be_explained(run: Run, redis_url: str, prefix: str) -> None:
    run("job", "add", "mail", "welcome", "{}", "--id=same")
    alone = run("why", "same")
    assert alone.status == 0
    assert "nothing is known of what led to it" in alone.out
    run("job", "add", "parcels", "send", "{}", "--id=same")
    several = run("why", "same")
    assert several.status == 2
    assert "several queues have a job 'same': mail, parcels" in several.err
    assert run("why", "none").status == 2
    assert run("why", "mail", "none").status == 2
    assert run("why", "nowhere", "none").status == 2


def test_a_record_that_is_gone(run: Run, redis_url: str, prefix: str) -> None:
    add_story(redis_url, prefix)
    run("job", "remove", "parcels", "p-1")
    shown = run("why", "r-1")
    assert "its record is gone" in shown.out
    assert "records between the first two jobs are gone" in shown.out
    assert "m-1" in shown.out


def test_a_job_shows_its_lineage(run: Run, redis_url: str, prefix: str) -> None:
    add_story(redis_url, prefix)
    shown = run("job", "show", "returns", "r-1").out
    assert "causation_id      parcels/p-1" in shown
    found = run("job", "search", "correlation:mail/m-1", "parcels").out
    assert all(job_id in found for job_id in ("p-1", "p-2"))
