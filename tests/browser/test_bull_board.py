"""Bull Board shows what we write."""

from playwright.async_api import expect

from stockyard.trading import QueueName
from tests.browser.board import Board
from tests.browser.desk import SIGNALS, hang, has_counts, work
from tests.support.waiting import eventually
from tests.support.yard import Yard

HIGH = QueueName.PORTFOLIO_HIGH_PRIORITY


async def test_the_seven_queues_are_listed_with_their_jobs_and_workers(board: Board, yard: Yard) -> None:
    await yard.queue(SIGNALS).add_many([("signal", {"symbol": "BTCUSDT"})] * 3)
    await yard.queue(HIGH).add("recalculate", delay="1h")
    await yard.work(work, HIGH, name="our-1")
    await board.open()
    for name in QueueName:
        await expect(board.card(name)).to_be_visible()
    await expect(board.card(SIGNALS)).to_contain_text("3 Jobs")
    await expect(board.card(SIGNALS)).to_contain_text("No workers")
    await expect(board.card(HIGH)).to_contain_text("1 Job")
    await expect(board.card(HIGH)).not_to_contain_text("No workers")
    await expect(board.card(QueueName.BACKTEST_JOBS)).to_contain_text("0 Jobs")


async def test_every_state_has_its_jobs(board: Board, yard: Yard) -> None:
    queue = yard.queue(SIGNALS)
    await queue.add("good", {"symbol": "BTCUSDT"})
    await queue.add("bad", attempts=1)
    worker = await yard.work(work, SIGNALS)
    await eventually(lambda: has_counts(yard, completed=1, failed=1))
    await worker.stop()
    await queue.add("running")
    await yard.work(hang, SIGNALS, concurrency=1, grace=0)
    await eventually(lambda: has_counts(yard, active=1))
    await queue.add("next")
    await queue.add("urgent", priority=1)
    await queue.add("later", delay="1h")
    shown = {
        "completed": "good",
        "failed": "bad",
        "active": "running",
        "waiting": "next",
        "prioritized": "urgent",
        "delayed": "later",
    }
    for state, name in shown.items():
        await board.open(SIGNALS, state)
        await board.shows_jobs(name)


async def test_a_completed_job_is_shown_whole(board: Board, yard: Yard) -> None:
    added = await yard.queue(SIGNALS).add("good", {"symbol": "BTCUSDT"}, attempts=4, priority=7)
    await yard.work(work, SIGNALS, name="our-1")
    await added.wait_for_result(25)
    await board.open(SIGNALS, job=added.id)
    await expect(board.page.locator("section")).to_contain_text("by our-1")
    data = await board.tab("Data")
    await expect(data).to_contain_text('symbol:"BTCUSDT"')
    await expect(data).to_contain_text('position:"BTCUSDT"')
    await expect(board.page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "40")
    options = await board.tab("Options")
    await expect(options).to_contain_text("attempts:4")
    await expect(options).to_contain_text("priority:7")
    await expect(await board.tab("Logs")).to_contain_text("marks loaded")
    await expect(await board.tab("Error")).to_contain_text("No errors recorded")


async def test_a_failed_job_is_shown_with_its_traceback(board: Board, yard: Yard) -> None:
    added = await yard.queue(SIGNALS).add("bad", attempts=2, backoff=0.001)
    await yard.work(work, SIGNALS)
    await eventually(lambda: has_counts(yard, failed=1))
    await board.open(SIGNALS, job=added.id)
    error = await board.tab("Error")
    await expect(error).to_contain_text("RuntimeError: no margin")
    # One of each attempt.
    assert (await error.inner_text()).count("Traceback (most recent call last)") == 2


async def test_our_workers_are_listed_by_name(board: Board, yard: Yard) -> None:
    await yard.work(hang, SIGNALS, name="our-1")
    await yard.work(hang, SIGNALS, name="our-2")
    await board.open(SIGNALS)
    await board.page.get_by_role("button", name="Queue info").click()
    await board.page.get_by_role("button", name="Connected workers").click()
    for name in ("our-1", "our-2"):
        await expect(board.page.get_by_role("dialog")).to_contain_text(name)
