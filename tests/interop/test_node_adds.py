"""Node adds, we process, and Node sees what came of it."""

import asyncio
from functools import partial
from typing import Any

import pytest

from stockyard import Job
from tests.interop.conftest import Work
from tests.support.node import NodeError, NodeObject, has_counts, is_drained, is_in, names_of
from tests.support.waiting import eventually


async def test_a_job_of_node_comes_back_with_our_result(queue: NodeObject, events: NodeObject, work: Work) -> None:
    sent = {"user": "Zoë 🚀", "nested": {"list": [1, 2.5, None, True]}, "empty": {}, "path": "a/b\\c"}
    seen: list[Any] = []

    async def handle(job: Job[Any]) -> Any:
        seen.append((job.name, job.data, job.attempt))
        return {"price": 101.5, "of": job.data}

    async with work(handle):
        added = await queue.add("recalculate", sent)
        result = await queue.job(added["id"], "waitUntilFinished", events, 5000)

    assert seen == [("recalculate", sent, 1)]
    assert result == {"price": 101.5, "of": sent}
    stored = await queue.getJob(added["id"])
    assert stored["returnvalue"] == result
    assert (stored["attemptsMade"], stored["attemptsStarted"]) == (1, 1)
    assert await queue.getJobState(added["id"]) == "completed"
    assert await names_of(events) == ["added", "waiting", "active", "completed", "drained"]


async def test_no_result_of_ours_breaks_nodes_listener(queue: NodeObject, events: NodeObject, work: Work) -> None:
    results: list[Any] = [
        None,
        "text",
        "",
        '"quoted"',
        1.5,
        -3,
        True,
        [],
        {},
        {"a": None},
        "✓ \u2028",
        float(2**53),
    ]

    async def handle(job: Job[int]) -> Any:
        return results[job.data]

    async with work(handle):
        jobs = await queue.addBulk([{"name": "value", "data": at} for at in range(len(results))])
        ends = [await queue.job(job["id"], "waitUntilFinished", events, 5000) for job in jobs]

    assert ends == results
    told = [fields for name, fields in await events.read("events") if name == "completed"]
    assert [each["returnvalue"] for each in told] == results
    assert await events.read("errors") == []


async def test_a_failure_reaches_node_as_plain_text(queue: NodeObject, events: NodeObject, work: Work) -> None:
    async with work():
        added = await queue.add("fail", {"reason": 'no "margin" left: {}'})
        with pytest.raises(NodeError, match=r'no "margin" left: \{\}'):
            await queue.job(added["id"], "waitUntilFinished", events, 5000)

    stored = await queue.getJob(added["id"])
    assert stored["failedReason"] == 'no "margin" left: {}'
    assert len(stored["stacktrace"]) == 1
    assert "StockyardError" in stored["stacktrace"][0]
    assert (stored["attemptsMade"], stored["attemptsStarted"]) == (1, 1)
    await eventually(lambda: is_drained(events))
    assert await names_of(events) == ["added", "waiting", "active", "failed", "retries-exhausted", "drained"]


async def test_retries_are_counted_as_node_counts(queue: NodeObject, events: NodeObject, work: Work) -> None:
    async with work():
        added = await queue.add("fail_first", {"times": 2}, {"attempts": 3, "backoff": 20})
        assert await queue.job(added["id"], "waitUntilFinished", events, 5000) == 3

    stored = await queue.getJob(added["id"])
    assert (stored["attemptsMade"], stored["attemptsStarted"], stored["delay"]) == (3, 3, 0)
    assert [each.splitlines()[-1] for each in stored["stacktrace"]] == [
        "stockyard.errors.StockyardError: try 1",
        "stockyard.errors.StockyardError: try 2",
    ]
    retry = ["delayed", "waiting", "active"]
    assert await names_of(events) == ["added", "waiting", "active", *retry, *retry, "completed", "drained"]


async def test_exhausted_attempts_are_announced_once(queue: NodeObject, events: NodeObject, work: Work) -> None:
    async with work():
        await queue.add("fail", {"reason": "no"}, {"attempts": 3})
        await eventually(lambda: is_drained(events))

    told = await events.read("events")
    assert [name for name, _ in told].count("failed") == 1
    assert told[-2] == ["retries-exhausted", {"jobId": "1", "attemptsMade": "3"}]


async def test_an_unrecoverable_error_is_not_tried_again(
    queue: NodeObject, events: NodeObject, work: Work
) -> None:
    async with work():
        added = await queue.add("fail_for_good", {"reason": "account closed"}, {"attempts": 5, "backoff": 10})
        await eventually(lambda: is_drained(events))

    stored = await queue.getJob(added["id"])
    assert (stored["failedReason"], stored["attemptsMade"]) == ("account closed", 1)
    assert "retries-exhausted" not in await names_of(events)


async def test_backoff_doubles_from_attempt_to_attempt(queue: NodeObject, work: Work) -> None:
    delays = []
    async with work():
        options = {"attempts": 4, "backoff": {"type": "exponential", "delay": 60_000}}
        added = await queue.add("fail", {"reason": "no"}, options)
        for attempts in (1, 2, 3):
            await eventually(partial(_is_parked, queue, added["id"], attempts))
            delays.append((await queue.getJob(added["id"]))["delay"])
            await queue.job(added["id"], "promote")

    assert delays == [60_000, 120_000, 240_000]


async def test_a_delayed_job_waits_for_its_time(queue: NodeObject, events: NodeObject, work: Work) -> None:
    async with work():
        added = await queue.add("echo", 1, {"delay": 250})
        assert await queue.getJobState(added["id"]) == "delayed"
        await queue.job(added["id"], "waitUntilFinished", events, 5000)

    stored = await queue.getJob(added["id"])
    assert stored["processedOn"] >= added["timestamp"] + 250
    assert stored["delay"] == 0
    told = await events.read("events")
    assert [name for name, _ in told] == ["added", "delayed", "waiting", "active", "completed", "drained"]
    assert told[1][1]["delay"] == added["timestamp"] + 250
    assert told[2][1]["prev"] == "delayed"


async def test_plain_jobs_come_first_then_priorities(queue: NodeObject, work: Work) -> None:
    await queue.add("low", 0, {"priority": 10})
    await queue.add("high", 0, {"priority": 1})
    await queue.add("first", 0)
    await queue.add("second", 0)
    await queue.add("high too", 0, {"priority": 1})
    await queue.add("last in", 0, {"lifo": True})
    assert await _order(work, 6) == ["last in", "first", "second", "high", "high too", "low"]


async def test_node_changes_what_waits(queue: NodeObject, work: Work) -> None:
    await queue.addBulk([{"name": name, "data": {}} for name in ("a", "b", "c", "d")])
    await queue.job("1", "changePriority", {"priority": 3})
    await queue.job("2", "updateData", {"changed": True})
    await queue.job("3", "remove")
    later = await queue.add("e", {}, {"delay": 60_000})
    await queue.job(later["id"], "changeDelay", 1)
    seen: list[Any] = []

    async def handle(job: Job[Any]) -> None:
        seen.append((job.name, job.data))

    async with work(handle):
        await eventually(lambda: len(seen) == 4)
    assert sorted(seen) == [("a", {}), ("b", {"changed": True}), ("d", {}), ("e", {})]
    assert [name for name, _ in seen if name != "e"] == ["b", "d", "a"]
    assert await queue.getJob("3") is None


async def test_progress_and_log_are_seen_by_node(queue: NodeObject, events: NodeObject, work: Work) -> None:
    progress = [1, 42.5, "half", {"done": [1, 2]}]
    async with work():
        sent = {"progress": progress, "lines": ["one", "two Ω", "three"]}
        added = await queue.add("report", sent, {"keepLogs": 2})
        await queue.job(added["id"], "waitUntilFinished", events, 5000)

    told = [fields["data"] for name, fields in await events.read("events") if name == "progress"]
    assert told == progress
    assert (await queue.getJob(added["id"]))["progress"] == {"done": [1, 2]}
    assert await queue.getJobLogs(added["id"]) == {"logs": ["two Ω", "three"], "count": 2}


async def test_node_cannot_remove_what_we_run(queue: NodeObject, work: Work) -> None:
    async with work():
        added = await queue.add("hang", {})
        await eventually(lambda: is_in(queue, "active", added["id"]))
        with pytest.raises(NodeError, match="locked"):
            await queue.job(added["id"], "remove")
    assert await queue.getJobState(added["id"]) == "waiting"
    stored = await queue.getJob(added["id"])
    assert (stored["attemptsMade"], stored["attemptsStarted"]) == (0, 1)


async def test_a_waiting_job_that_node_removed_never_runs(
    queue: NodeObject, events: NodeObject, work: Work
) -> None:
    added = await queue.add("fail", {"reason": "ran"})
    assert await queue.remove(added["id"]) == 1
    kept = await queue.add("echo", 1)
    async with work():
        await queue.job(kept["id"], "waitUntilFinished", events, 5000)
    assert await queue.getJobCounts("failed", "completed") == {"failed": 0, "completed": 1}


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (True, []),
        (False, ["5", "4", "3", "2", "1"]),
        (2, ["5", "4"]),
        ({"count": 3}, ["5", "4", "3"]),
        ({"age": 3600, "count": 1}, ["5"]),
        ({"age": 3600}, ["5", "4", "3", "2", "1"]),
    ],
)
@pytest.mark.parametrize("name", ["report", "fail"])
async def test_finished_jobs_are_kept_as_node_asked(
    queue: NodeObject, work: Work, prefix: str, raw: Any, name: str, keep: Any, left: list[str]
) -> None:
    option = {"removeOnComplete": keep} if name == "report" else {"removeOnFail": keep}
    sent = {"progress": [], "lines": ["a line"]} if name == "report" else {"reason": "no"}
    await queue.addBulk([{"name": name, "data": sent, "opts": option} for _ in range(5)])
    async with work():
        await eventually(lambda: has_counts(queue, waiting=0, active=0, delayed=0))

    state = "completed" if name == "report" else "failed"
    assert [job["id"] for job in await queue.getJobs([state])] == left
    hashes = sorted(key.rpartition(":")[2] for key in raw.scan_iter(f"{prefix}:q:[0-9]"))
    assert hashes == sorted(left)
    logs = sorted(key.split(":")[-2] for key in raw.scan_iter(f"{prefix}:q:*:logs"))
    assert logs == (sorted(left) if name == "report" else [])


async def test_old_records_go_by_age(queue: NodeObject, work: Work, prefix: str, raw: Any) -> None:
    async with work():
        await queue.addBulk([{"name": "echo", "data": 1} for _ in range(3)])
        await eventually(lambda: has_counts(queue, completed=3))
        for job_id in ("1", "2"):
            raw.zincrby(f"{prefix}:q:completed", -20_000, job_id)
        await queue.add("echo", 1, {"removeOnComplete": {"age": 10}})
        await eventually(lambda: has_counts(queue, completed=2))
    assert [job["id"] for job in await queue.getJobs(["completed"])] == ["4", "3"]


async def test_our_workers_are_listed_by_node(queue: NodeObject, work: Work) -> None:
    async with work(), work():
        workers = await queue.getWorkers()
        assert [each["name"] for each in workers] == ["q", "q"]
        assert await queue.getWorkersCount() == 2
    assert await queue.getWorkersCount() == 0


async def test_a_worker_of_ours_has_its_name_in_node(
    queue: NodeObject, events: NodeObject, prefix: str, work: Work
) -> None:
    async with work(name="python-1"):
        (worker,) = await queue.getWorkers()
        assert worker["rawname"] == f"{prefix}:cQ==:w:python-1"
        added = await queue.add("echo", 1)
        await queue.job(added["id"], "waitUntilFinished", events, 5000)
    assert (await queue.getJob(added["id"]))["processedBy"] == "python-1"


async def _order(work: Work, number: int) -> list[str]:
    order: list[str] = []

    async def handle(job: Job[Any]) -> None:
        order.append(job.name)
        await asyncio.sleep(0)

    async with work(handle):
        await eventually(lambda: len(order) == number)
    return order


async def _is_parked(queue: NodeObject, job_id: str, attempts: int) -> bool:
    job = await queue.getJob(job_id)
    return bool(job["attemptsMade"] == attempts) and await is_in(queue, "delayed", job_id)


async def test_what_javascript_takes_loosely_is_run(queue: NodeObject, work: Work) -> None:
    retried = {"attempts": "2", "backoff": {"type": "fixed", "delay": "10"}, "timestamp": 1_700_000_000_000.5}
    await queue.add("fail_first", {"times": 1}, retried)
    # A text that was cut in the middle of an emoji.
    cut = await queue.run("queue => queue.add('echo', 'cut \\ud83d')")
    async with work():
        await eventually(lambda: has_counts(queue, completed=2))
    assert (await queue.getJob(cut["id"]))["returnvalue"] == "cut \ufffd"
    assert (await queue.getJob("1"))["returnvalue"] == 2


async def test_nodes_listener_is_told_large_results_of_removed_jobs_in_full(
    queue: NodeObject, events: NodeObject, work: Work
) -> None:
    """The stream keeps about 16 MiB of them; who listens has read each before it leaves."""
    sizes = [100, 999, 1_001, 100_000, 1_000_000, 5_000_000, 9_000_000, 1]

    async def handle(job: Job[int]) -> str:
        return "x" * job.data

    async def told() -> list[int]:
        return [len(fields["returnvalue"]) for name, fields in await events.read("events") if name == "completed"]

    async with work(handle):
        for size in sizes:
            await queue.add("value", size, {"removeOnComplete": True})

        async def all_are_told() -> bool:
            return len(await told()) >= len(sizes)

        await eventually(all_are_told, within=60)
    assert await told() == sizes
