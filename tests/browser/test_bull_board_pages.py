"""Bull Board's flow, scheduler and throughput pages on what we wrote."""

import re
import time

from playwright.async_api import expect

from stockyard import Flow, JobState
from stockyard.model.clock import SteppedClock
from stockyard.trading import QueueName
from stockyard.trading.queues import declare_platform
from tests.browser.board import Board
from tests.browser.desk import SIGNALS, has_counts, work
from tests.support.waiting import eventually
from tests.support.yard import Yard

HIGH = QueueName.PORTFOLIO_HIGH_PRIORITY
CANDLES = QueueName.EXCHANGE_CANDLE_INGESTION


async def test_a_flow_over_three_queues_is_drawn(board: Board, yard: Yard) -> None:
    candles = Flow("candles", CANDLES, job_id="candles", children=[Flow("depth", SIGNALS, job_id="depth")])
    await yard.app.flows.add(
        Flow(
            "rebalance",
            HIGH,
            {"account": "A1"},
            job_id="rebalance-1",
            children=[candles, Flow("good", SIGNALS, {"symbol": "BTCUSDT"}, job_id="good")],
        )
    )
    await board.open(HIGH, job="rebalance-1")
    await _draws(board, "rebalance, waiting-children, queue high_priority, id rebalance-1")
    await _draws(board, "candles, waiting-children, queue candle_ingestion, id candles")
    await _draws(board, "depth, waiting, queue signals, id depth")
    await _draws(board, "good, waiting, queue signals, id good")
    await expect(board.page.get_by_role("complementary").last).to_contain_text("2 unfinished")

    await yard.work(work, SIGNALS)
    await eventually(lambda: has_counts(yard, completed=1))
    await board.open(HIGH, job="rebalance-1")
    await _draws(board, "good, completed, queue signals, id good")
    await expect(board.page.get_by_role("complementary").last).to_contain_text("1 done")


async def test_the_unprocessed_children_of_a_flow_are_removed(board: Board, yard: Yard) -> None:
    await yard.app.flows.add(Flow("rebalance", HIGH, job_id="r", children=[Flow("next", SIGNALS) for _ in "ab"]))
    await board.open(HIGH, job="r")
    await board.press("remove unprocessed children")
    await eventually(lambda: has_counts(yard, waiting=0))
    job = await yard.queue(HIGH).get_job("r")
    assert job is not None
    assert await job.state() == JobState.WAITING


async def test_our_schedules_are_listed(board: Board, yard: Yard) -> None:
    schedules = yard.app.schedules(SIGNALS)
    await schedules.upsert("sync", every="1h", name="sync", data={"venue": "X"})
    await schedules.upsert("close", cron="0 30 16 * * *", tz="America/New_York", limit=5)
    await board.visit("job-schedulers")
    await expect(board.row("sync")).to_contain_text("every 1h")
    await expect(board.row("sync")).to_contain_text(SIGNALS)
    await expect(board.row("close")).to_contain_text(re.compile(r"0 30 16 \* \* \*.*America/New_York.*1of 5"))


async def test_a_schedule_is_run_at_once_and_removed(board: Board, yard: Yard) -> None:
    schedules = yard.app.schedules(SIGNALS)
    await schedules.upsert("sync", cron="0 0 1 1 *", name="good", data={"symbol": "BTCUSDT"})
    await yard.work(work, SIGNALS)
    await board.visit("job-schedulers")
    await board.row("sync").get_by_role("button", name="Run now").click()
    await board.confirm()
    await eventually(lambda: has_counts(yard, completed=1, delayed=1))
    await board.visit("job-schedulers")
    await board.row("sync").get_by_role("button", name="Remove scheduler").click()
    await board.confirm()
    await expect(board.page.get_by_text("No schedulers registered.")).to_be_visible()
    assert await schedules.count() == 0
    assert await has_counts(yard, delayed=0)


async def test_throughput_is_drawn_from_our_counts(board: Board, redis_url: str, prefix: str) -> None:
    # The page draws the last hour by its own clock.
    clock = SteppedClock(int(time.time() // 60 - 5) * 60_000)
    async with Yard(redis_url, prefix, topology=declare_platform(), clock=clock) as yard:
        await yard.work(work, SIGNALS)
        await yard.queue(SIGNALS).add_many([("good", {"symbol": "BTCUSDT"})] * 3)
        await eventually(lambda: has_counts(yard, completed=3))
        clock.step(60_000)
        await yard.queue(SIGNALS).add("good", {"symbol": "BTCUSDT"})
        await eventually(lambda: has_counts(yard, completed=4))
    await board.open(SIGNALS)
    await expect(board.page.locator("section")).to_contain_text(re.compile(r"4\s*Completed \(last 60 min\)"))
    await expect(board.page.locator("section")).to_contain_text(re.compile(r"3\s*Peak / min"))


async def _draws(board: Board, node: str) -> None:
    await expect(board.page.get_by_role("group", name=node, exact=True)).to_be_visible()
