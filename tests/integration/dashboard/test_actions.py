"""What people do: each action on a real server, confirmed and in the audit; many jobs in steps."""

import asyncio
from typing import Any

import pytest

from stockyard import Job, JobState
from stockyard.dashboard.actions import ACTIONS
from tests.integration.dashboard.conftest import Open, Page, Person
from tests.support.waiting import eventually
from tests.support.yard import Yard


async def fail(job: Job[Any]) -> None:
    raise ValueError(f"no price for {job.data['symbol']!r}" if job.data.get("symbol") else f"late by {job.id}")


async def with_failed(yard: Yard, number: int = 3, **options: Any) -> None:
    """Make failed jobs f0, f1 …, and let no worker be there."""
    queue = yard.queue("q", attempts=1)
    await queue.add_many([("job", {"n": n, **options}, {"job_id": f"f{n}"}) for n in range(number)])
    worker = await yard.work(fail, "q", concurrency=20)
    await eventually(lambda: has(yard, failed=number))
    await worker.stop()


async def has(yard: Yard, **expected: int) -> bool:
    counts = await yard.queue("q").counts()
    return all(counts[JobState(state)] == number for state, number in expected.items())


async def state_of(yard: Yard, job_id: str) -> str:
    job = await yard.queue("q").get_job(job_id)
    return "gone" if job is None else (await job.state()).value


async def audited(yard: Yard) -> list[tuple[str, str, str]]:
    return [(each.action, each.queue, each.subject) for each in await yard.app.monitor.audit.list()]


async def test_an_action_is_asked_about_first(yard: Yard, visit: Open) -> None:
    await with_failed(yard)
    person = visit()
    on = "/job?queue=q&id=f0"
    asked = await person.do("/do/remove?queue=q&id=f0", on=on, sure=False)
    page = Page(asked.text)
    assert "Remove job f0 of q for good?" in page.text
    assert await state_of(yard, "f0") == "failed"
    assert await audited(yard) == []
    # The page that asks sends the same again, with what it was asked about.
    hidden = [each for each in page.all("input") if each.get("type") == "hidden"]
    fields = {each["name"]: each["value"] for each in reversed(hidden)}
    done = await person.client.post("/do/remove", data=fields, follow_redirects=True)
    assert "Done: job f0 is removed." in Page(done.text).text
    assert await state_of(yard, "f0") == "gone"
    assert await audited(yard) == [("remove", "q", "f0")]


async def test_one_job_is_retried_promoted_cancelled_and_edited(yard: Yard, visit: Open) -> None:
    await with_failed(yard)
    queue = yard.queue("q")
    await queue.add("later", {}, job_id="d", delay="1h")
    await queue.add("plain", {}, job_id="w")
    person = visit()
    await person.do("/do/retry?queue=q&id=f0")
    assert await state_of(yard, "f0") == "waiting"
    await person.do("/do/promote?queue=q&id=d")
    assert await state_of(yard, "d") == "waiting"
    reply = await person.do("/do/edit", on="/job?queue=q&id=f1", queue="q", id="f1", data='{"n": 5}', then="retry")
    assert "its data" not in reply.text
    job = await queue.get_job("f1")
    assert job is not None
    assert (job.data, await job.state()) == ({"n": 5}, JobState.WAITING)
    await person.do("/do/cancel?queue=q&id=w")
    await yard.work(fail, "q")
    await eventually(lambda: has(yard, waiting=0))
    cancelled = await queue.get_job("w")
    assert cancelled is not None
    assert (cancelled.failed_reason or "").startswith("cancelled")
    assert [action for action, *_ in await audited(yard)] == ["cancel", "edit", "promote", "retry"]


async def test_what_cannot_be_done_is_said(yard: Yard, visit: Open) -> None:
    await with_failed(yard, 1)
    person = visit()
    refused = await person.do("/do/promote?queue=q&id=f0", on="/job?queue=q&id=f0")
    assert "Not done: job f0" in Page(refused.text).text
    wrong = await person.do("/do/edit", on="/job?queue=q&id=f0", queue="q", id="f0", data="{no json")
    assert "Not done: the data must be JSON" in Page(wrong.text).text
    lacking = await person.do("/do/pause")
    assert "the form lacks" in Page(lacking.text).text
    # It is said once.
    assert "Not done" not in (await person.see("/")).text
    assert (await person.do("/do/nothing")).status_code == 404


async def test_a_queue_is_paused_and_resumed(yard: Yard, visit: Open) -> None:
    queue, person = yard.queue("q"), visit()
    await person.do("/do/pause?queue=q")
    assert await queue.is_paused()
    await person.do("/do/resume?queue=q")
    assert not await queue.is_paused()


async def finished(person: Person, reply: Any) -> Page:
    """Wait until an operation is over; return its page."""
    path = str(reply.url).removeprefix("http://board.test")
    assert path.startswith("/operation?id=")
    pages: list[Page] = []

    async def is_over() -> bool:
        pages.append(await person.see(path))
        return not any("data-stream" in each for each in pages[-1].all("div"))

    await eventually(is_over)
    return pages[-1]


async def test_selected_jobs_are_changed_and_refusals_counted(yard: Yard, visit: Open) -> None:
    await with_failed(yard, 5)
    person = visit()
    on = "/queue?name=q&state=failed"
    reply = await person.do("/do/selected?queue=q&verb=retry", on=on, selected=["f1", "f3", "none"])
    page = await finished(person, reply)
    assert "Changed 2 of 3" in page.text
    assert "none: " in page.text
    assert await has(yard, waiting=2, failed=3)
    assert [action for action, *_ in await audited(yard)] == ["finished", "selected"]
    nothing = await person.do("/do/selected?queue=q&verb=retry", on=on)
    assert "no job is selected" in Page(nothing.text).text


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("verb=retry&state=failed", {"waiting": 450, "failed": 0}),
        ("verb=remove&state=failed", {"waiting": 0, "failed": 0}),
        ("verb=remove&state=failed&find=data.n:7", {"failed": 449}),
        ("verb=retry&state=failed&find=f44", {"waiting": 11, "failed": 439}),
    ],
)
async def test_all_that_match_are_changed_in_steps(
    yard: Yard, visit: Open, query: str, left: dict[str, int]
) -> None:
    await with_failed(yard, 450)
    person = visit()
    page = await finished(
        person, await person.do(f"/do/matching?queue=q&{query}", on="/queue?name=q&state=failed")
    )
    assert "Refused 0" in page.text
    assert await has(yard, **left)


async def test_a_kind_of_failure_is_retried(yard: Yard, visit: Open) -> None:
    queue = yard.queue("q", attempts=1)
    await queue.add_many([("job", {"symbol": "A"}, {"job_id": f"a{n}"}) for n in range(3)])
    await queue.add_many([("job", {}, {"job_id": f"b{n}"}) for n in range(2)])
    worker = await yard.work(fail, "q")
    await eventually(lambda: has(yard, failed=5))
    await worker.stop()
    person = visit()
    page = await person.see("/failures")
    retry = [each["formaction"] for each in page.all("button") if "verb=retry" in each.get("formaction", "")]
    assert len(retry) == 2
    await finished(person, await person.do(retry[0], on="/failures"))
    assert await has(yard, waiting=3, failed=2)


async def test_jobs_that_cannot_be_changed_so_are_refused(yard: Yard, visit: Open) -> None:
    yard.queue("q")
    person = visit()
    for query in ("verb=retry&state=active", "verb=burn&state=failed"):
        reply = await person.do(f"/do/matching?queue=q&{query}")
        assert "Not done" in Page(reply.text).text


async def test_jobs_in_lines_are_shown_searched_and_removed(yard: Yard, visit: Open) -> None:
    queue = yard.queue("q", ordered=True)
    await queue.add_many([("job", {"n": n}, {"job_id": f"f{n}", "key": f"k{n % 2}"}) for n in range(9)])
    on, person = "/queue?name=q&state=waiting", visit()
    assert {f"f{n}" for n in range(9)} <= set((await person.see(on)).text.split())
    assert "f7" in (await person.see("/search?q=data.n:7")).text.split()
    await finished(person, await person.do("/do/matching?queue=q&verb=remove&state=waiting&find=data.n:7", on=on))
    assert (await state_of(yard, "f7"), await queue.count("waiting")) == ("gone", 8)
    await finished(person, await person.do("/do/matching?queue=q&verb=remove&state=waiting", on=on))
    assert await queue.count("waiting") == 0


async def test_an_operation_is_stopped(yard: Yard, visit: Open) -> None:
    await with_failed(yard, 450)
    person = visit()
    reply = await person.do(
        "/do/matching?queue=q&verb=remove&state=failed&find=f", on="/queue?name=q&state=failed"
    )
    path = str(reply.url).removeprefix("http://board.test")
    operation = path.partition("=")[2]
    await person.do(f"/do/stop?operation={operation}", on=path)
    await finished(person, reply)


async def test_a_schedule_is_run_now_and_ended(yard: Yard, visit: Open) -> None:
    yard.queue("q")
    schedules = yard.app.schedules("q")
    await schedules.upsert("close", every="1h", offset="1m", name="report", data={"day": 1})
    person = visit()
    await person.do("/do/run_schedule?queue=q&schedule=close", on="/schedules")
    assert [job.name for job in await yard.queue("q").get_jobs("waiting")] == ["report"]
    await person.do("/do/remove_schedule?queue=q&schedule=close", on="/schedules")
    assert await schedules.count() == 0
    again = await person.do("/do/remove_schedule?queue=q&schedule=close", on="/schedules")
    assert "no such schedule" in Page(again.text).text


async def test_an_alert_is_silenced(yard: Yard, visit: Open) -> None:
    yard.queue("q")
    person = visit()
    await person.do("/do/silence?rule=waiting&subject=q&duration=1h", on="/alerts")
    (silence,) = await yard.app.alerts.silences()
    assert (silence.rule, silence.subject) == ("waiting", "q")
    await person.do("/do/unsilence?rule=waiting&subject=q", on="/alerts")
    assert await yard.app.alerts.silences() == []
    again = await person.do("/do/unsilence?rule=waiting&subject=q", on="/alerts")
    assert "there was no such silence any more" in Page(again.text).text


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("silence?rule=wating&subject=q&duration=1h", "no rule is called 'wating'"),
        ("silence?rule=waiting&subject=r&duration=1h", "'r'"),
        ("stop?operation=zz", "no operation 'zz'"),
        ("edit?queue=q&id=w&data=2&then=rerun", "'rerun'"),
        ("thaw?limits=nope", "no limits 'nope'"),
        ("replay_key?queue=q&key=k", "declares nothing of keys"),
    ],
)
async def test_what_does_not_exist_is_refused(yard: Yard, visit: Open, query: str, why: str) -> None:
    job = await yard.queue("q").add("job", 1, job_id="w")
    reply = await visit().do(f"/do/{query}")
    text = Page(reply.text).text
    assert "Not done: " in text
    assert why in text
    assert await yard.app.alerts.silences() == []
    assert (await job.refresh()).data == 1


@pytest.mark.parametrize(
    ("word", "outcome"),
    [("committed", "committed"), ("applied", "committed"), ("failed", "failed"), ("not-applied", "failed")],
)
async def test_an_effect_is_settled_by_the_words_of_programs_and_of_the_command(
    yard: Yard, visit: Open, word: str, outcome: str
) -> None:
    async def break_off(job: Job[Any]) -> None:
        async with job.effect("E1", max_duration="1s"):
            raise OSError("connection reset")

    await yard.queue("q", attempts=1).add("job")
    await yard.work(break_off, "q")
    await eventually(lambda: has(yard, failed=1))
    person = visit()
    on = "/effects"
    for wrong in ("maybe", "Committed", "unknown"):
        refused = Page((await person.do(f"/do/settle?queue=q&effect=E1&outcome={wrong}", on=on)).text)
        assert "Not done: the outcome of an effect must be one of committed, failed, applied" in refused.text
        (record,) = await yard.app.effects.list("unknown")
        assert record.key == "E1"
    done = Page((await person.do(f"/do/settle?queue=q&effect=E1&outcome={word}", on=on)).text)
    assert f"Done: effect E1 is {outcome}." in done.text
    settled = await yard.app.effects.get("E1")
    assert settled is not None
    assert settled.outcome == outcome


async def test_an_action_that_cannot_be_recorded_is_not_done(
    yard: Yard, visit: Open, raw: Any, prefix: str
) -> None:
    queue, person = yard.queue("q"), visit()
    await person.do("/do/resume?queue=q")
    (key,) = list(raw.scan_iter(match=f"{prefix}::audit:*"))
    raw.delete(key)
    raw.set(key, "written over")
    reply = await person.do("/do/pause?queue=q")
    assert "Not done" in Page(reply.text).text
    assert not await queue.is_paused()
    raw.delete(key)


def test_every_action_asks_a_question_about_something() -> None:
    for action in ACTIONS.values():
        assert action.question.endswith("?") or action.question.endswith(".")


async def test_two_operations_run_beside_each_other(yard: Yard, visit: Open) -> None:
    await with_failed(yard, 40)
    person = visit()
    on = "/queue?name=q&state=failed"
    replies = [
        await person.do("/do/selected?queue=q&verb=remove", on=on, selected=[f"f{n}" for n in numbers])
        for numbers in (range(20), range(20, 40))
    ]
    await asyncio.gather(*(finished(person, reply) for reply in replies))
    assert await has(yard, failed=0)
    page = await person.see("/audit")
    assert page.text.count("Remove: 20 selected jobs") >= 2


async def test_queues_are_halted_and_resumed(yard: Yard, visit: Open) -> None:
    queue, person = yard.queue("execution:orders"), visit()
    fields: dict[str, Any] = {"queues": "execution:*", "reason": "the exchange is down"}
    await person.do("/do/halt", "/halts", **fields)
    assert await queue.is_paused()
    page = await person.see("/halts")
    assert "the exchange is down" in page.text
    (resume,) = [each["formaction"] for each in page.all("button") if "resume_halt" in each.get("formaction", "")]
    assert "Halted:" in (await person.see("/queue?name=execution:orders")).text
    assert "halted" in (await person.see("/")).text
    await person.do(resume, on="/halts")
    assert not await queue.is_paused()
    assert await yard.app.halts() == []


@pytest.mark.parametrize(
    ("action", "left"),
    [("resume_key", {"failed": 1, "completed": 1}), ("skip_key", {"failed": 0, "completed": 1})],
)
async def test_a_parked_key_goes_on(yard: Yard, visit: Open, action: str, left: dict[str, int]) -> None:
    async def first_fails(job: Job[Any]) -> None:
        if job.data["n"] == 0:
            raise ValueError("no margin")

    queue = yard.queue("q", attempts=1, ordered=True, on_poison="park")
    await queue.add_many([("job", {"n": n}, {"job_id": f"j{n}", "key": "A1"}) for n in range(2)])
    await yard.work(first_fails, "q")
    await eventually(lambda: has(yard, failed=1))
    person = visit()
    page = await person.see("/keys")
    assert "A1" in page.text
    assert "no margin" in page.text
    assert "1 parked" in (await person.see("/queue?name=q")).text
    (path,) = [each["formaction"] for each in page.all("button") if action in each.get("formaction", "")]
    await person.do(path, on="/keys")
    await eventually(lambda: has(yard, **left))
    assert (await audited(yard))[0] == (action, "q", "A1")
