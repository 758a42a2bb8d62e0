"""The demo's pipeline: an order's path begins with its candles."""

import asyncio
from pathlib import Path

import pytest

from stockyard import App, Settings
from stockyard.cli import main
from stockyard.model.job import JobState
from stockyard.trading.demo.desk import Desk
from stockyard.trading.demo.exchange import PaperExchange
from stockyard.trading.demo.pipeline import KEPT, Pipeline
from stockyard.trading.demo.venue import VenueClient, VenueServer, usage_of
from stockyard.trading.demo.worker_process import demo_platform
from stockyard.trading.payloads import IngestCandles
from stockyard.trading.queues import QueueName
from tests.support.waiting import eventually

CHUNK = 200
SERVED = (
    QueueName.EXCHANGE_CANDLE_INGESTION,
    QueueName.STRATEGY_SIGNALS,
    QueueName.EXECUTION_ORDER_SUBMISSION,
    QueueName.PORTFOLIO_HIGH_PRIORITY,
)


async def first_fill(redis_url: str, prefix: str, folder: Path) -> str:
    """Let candles go through the pipeline; return the id of the first fill's job."""
    desk, exchange = Desk(folder / "desk.db"), PaperExchange(folder / "exchange.db")
    async with VenueServer(exchange) as server:
        venue = VenueClient(server.port)
        settings = Settings.load(redis_url, prefix=prefix)
        async with App(demo_platform(settings, venue), settings=settings) as app:
            pipeline = Pipeline(
                app, desk=desk, exchange=exchange, venue=venue, usage_of=usage_of, chunk=CHUNK, pause=0
            )
            routers = pipeline.routers()
            workers = [app.worker(queue, routers[queue], handle_signals=False) for queue in SERVED]
            running = [asyncio.create_task(worker.run()) for worker in workers]
            await app.queue(QueueName.EXCHANGE_CANDLE_INGESTION).add(
                "ingest-candles", IngestCandles("AAPL", 0), job_id="candles-AAPL-0", **KEPT
            )
            fills = app.queue(QueueName.PORTFOLIO_HIGH_PRIORITY)
            try:
                await eventually(lambda: fills.get_jobs(JobState.COMPLETED), within=60)
                (fill,) = await fills.get_jobs(JobState.COMPLETED, size=1, newest_first=False)
            finally:
                await asyncio.gather(*(worker.stop() for worker in workers))
                await asyncio.gather(*running)
    desk.close()
    exchange.close()
    return fill.id


def test_the_path_of_an_order_begins_with_its_candles(
    redis_url: str, prefix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill = asyncio.run(first_fill(redis_url, prefix, tmp_path))
    capsys.readouterr()
    assert main(["why", fill, f"--redis-url={redis_url}", f"--prefix={prefix}"]) == 0
    rows = [row.split() for row in capsys.readouterr().out.splitlines()]
    path = [row[:3] for row in rows if row and row[0] in SERVED]
    assert [queue for queue, *_ in path] == list(SERVED)
    assert path[0][1:] == ["candles-AAPL-0", "ingest-candles"]
    assert path[-1][1:] == [fill, "recalculate-position"]
    # What the order did at the exchange is shown beside it.
    assert any(f"{path[2][1]}: committed" in " ".join(row) for row in rows)
