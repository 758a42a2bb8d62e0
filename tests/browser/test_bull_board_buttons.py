"""What a person presses in Bull Board happens to our queues, and our workers act on it."""

import json

import redis
from playwright.async_api import expect

from stockyard import JobState, Rate
from stockyard.model.clock import SteppedClock, system_clock
from stockyard.trading.queues import declare_platform
from tests.browser.board import Board
from tests.browser.desk import SIGNALS, has_counts, work
from tests.support.waiting import eventually
from tests.support.yard import Yard


async def test_retry_runs_a_failed_job_again(board: Board, yard: Yard) -> None:
    added = await yard.queue(SIGNALS).add("good", {}, attempts=1)
    worker = await yard.work(work, SIGNALS)
    await eventually(lambda: has_counts(yard, failed=1))
    await worker.stop()
    await added.update_data({"symbol": "ETHUSDT"})
    await board.open(SIGNALS, "failed")
    await board.press("retry")
    await board.shows_jobs()
    assert await added.state() == JobState.WAITING
    await yard.work(work, SIGNALS)
    assert await added.wait_for_result(25) == {"position": "ETHUSDT"}


async def test_all_failed_jobs_are_retried_at_once(board: Board, yard: Yard) -> None:
    await yard.queue(SIGNALS).add_many([("bad", {}, {"attempts": 1})] * 3)
    worker = await yard.work(work, SIGNALS)
    await eventually(lambda: has_counts(yard, failed=3))
    await worker.stop()
    await board.open(SIGNALS, "failed")
    await board.press_all("Retry all")
    await eventually(lambda: has_counts(yard, failed=0, waiting=3))


async def test_promote_starts_a_delayed_job(board: Board, yard: Yard) -> None:
    added = await yard.queue(SIGNALS).add("good", {"symbol": "BTCUSDT"}, delay="1h")
    await yard.work(work, SIGNALS)
    await board.open(SIGNALS, "delayed")
    await board.press("promote")
    assert await added.wait_for_result(25) == {"position": "BTCUSDT"}


async def test_all_delayed_jobs_are_promoted_at_once(board: Board, yard: Yard) -> None:
    await yard.queue(SIGNALS).add_many([("good", {"symbol": "BTCUSDT"}, {"delay": "1h"})] * 3)
    await yard.work(work, SIGNALS)
    await board.open(SIGNALS, "delayed")
    await board.press_all("Promote all")
    await eventually(lambda: has_counts(yard, completed=3))


async def test_a_job_is_removed(board: Board, yard: Yard) -> None:
    queue = yard.queue(SIGNALS)
    added = await queue.add("next")
    await board.open(SIGNALS, "waiting")
    await board.press("remove")
    await board.shows_jobs()
    assert await queue.get_job(added.id) is None


async def test_all_completed_jobs_are_cleaned(board: Board, redis_url: str, prefix: str) -> None:
    # The board spares what ended in the last seconds.
    async with Yard(
        redis_url, prefix, topology=declare_platform(), clock=SteppedClock(system_clock() - 60_000)
    ) as yard:
        await yard.queue(SIGNALS).add_many([("good", {"symbol": "BTCUSDT"})] * 3)
        await yard.work(work, SIGNALS)
        await eventually(lambda: has_counts(yard, completed=3))
        await board.open(SIGNALS, "completed")
        await board.press_all("Clean all")
        await eventually(lambda: has_counts(yard, completed=0))


async def test_our_workers_pause_and_resume(board: Board, yard: Yard) -> None:
    queue = yard.queue(SIGNALS)
    await yard.work(work, SIGNALS)
    await board.open(SIGNALS)
    await board.choose("Pause", confirm=True)
    await eventually(queue.is_paused)
    added = await queue.add("good", {"symbol": "BTCUSDT"})
    await board.open(SIGNALS, "waiting")
    await board.shows_jobs("good")
    assert await added.state() == JobState.WAITING
    await board.choose("Resume", confirm=True)
    assert await added.wait_for_result(25) == {"position": "BTCUSDT"}


async def test_our_pause_is_shown(board: Board, yard: Yard) -> None:
    await yard.queue(SIGNALS).pause()
    await board.open()
    await expect(board.card(SIGNALS)).to_contain_text("Paused")


async def test_empty_takes_what_waits(board: Board, yard: Yard) -> None:
    queue = yard.queue(SIGNALS)
    await queue.add_many([("next", {}), ("urgent", {}, {"priority": 1}), ("later", {}, {"delay": "1h"})])
    await board.open(SIGNALS)
    await board.choose("Empty", confirm=True)
    await eventually(lambda: has_counts(yard, waiting=0, prioritized=0, delayed=1))


async def test_a_job_added_by_hand_is_run_by_us(board: Board, yard: Yard) -> None:
    await yard.work(work, SIGNALS)
    await board.open(SIGNALS)
    await board.choose("Add job")
    await board.page.get_by_label("Job name").fill("good")
    await board.write("Job data", json.dumps({"symbol": "ADAUSDT"}))
    await board.write("Job options", json.dumps({"priority": 3, "attempts": 2}))
    await board.submit("Add")
    await eventually(lambda: has_counts(yard, completed=1))
    (job,) = await yard.queue(SIGNALS).get_jobs("completed")
    assert (job.return_value, job.priority, job.options.attempts) == ({"position": "ADAUSDT"}, 3, 2)


async def test_data_is_edited_and_a_job_duplicated(board: Board, yard: Yard) -> None:
    added = await yard.queue(SIGNALS).add("good", {"symbol": "BTCUSDT"}, priority=3)
    await board.open(SIGNALS, "prioritized")
    await board.press("update data", confirm=False)
    await board.write("Job data", json.dumps({"symbol": "SOLUSDT"}))
    await board.submit("Update")
    await eventually(lambda: _has_data(yard, added.id, {"symbol": "SOLUSDT"}))
    await board.open(SIGNALS, "prioritized")
    await board.press("duplicate", confirm=False)
    await board.submit("Duplicate")
    await eventually(lambda: has_counts(yard, prioritized=2))


async def test_priority_is_changed_and_a_delayed_job_rescheduled(board: Board, yard: Yard) -> None:
    queue = yard.queue(SIGNALS)
    added = await queue.add("urgent", priority=3)
    await board.open(SIGNALS, "prioritized")
    await board.press("change priority", confirm=False)
    await board.page.get_by_role("dialog").get_by_label("Priority").fill("9")
    await board.submit("Save")
    await eventually(lambda: _has_priority(yard, added.id, 9))


async def test_global_limits_are_set(board: Board, yard: Yard) -> None:
    await board.open(SIGNALS)
    await board.choose("Set concurrency")
    await board.page.get_by_role("spinbutton", name="Concurrency").fill("2")
    await board.submit("Save")
    await board.open(SIGNALS)
    await board.choose("Set rate limit")
    await board.page.get_by_label("Max jobs").fill("5")
    await board.page.get_by_label("Duration (ms)").fill("1000")
    await board.submit("Save")
    settings = await yard.queue(SIGNALS).settings()
    assert (settings.concurrency, settings.rate) == (2, Rate(5, 1000))


async def test_obliterate_leaves_nothing(board: Board, yard: Yard, raw: "redis.Redis", prefix: str) -> None:
    queue = yard.queue(SIGNALS)
    await queue.add_many([("next", {}), ("later", {}, {"delay": "1h"})])
    await queue.pause()
    await board.open(SIGNALS)
    await board.choose("Obliterate", confirm=True)
    await eventually(lambda: has_counts(yard, waiting=0, delayed=0))
    await eventually(lambda: not list(raw.scan_iter(f"{prefix}:{SIGNALS}:*")))


async def _has_data(yard: Yard, job_id: str, data: object) -> bool:
    job = await yard.queue(SIGNALS).get_job(job_id)
    return job is not None and job.data == data


async def _has_priority(yard: Yard, job_id: str, priority: int) -> bool:
    job = await yard.queue(SIGNALS).get_job(job_id)
    return job is not None and job.priority == priority
