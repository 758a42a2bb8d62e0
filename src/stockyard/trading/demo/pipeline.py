"""The handlers of the platform's queues: from a candle to a reconciled position.

A chunk of candles brings its price updates and its signal job; the signal job brings the orders, and the next
chunk of its symbol, so that a symbol's signals come in its order. An order brings a fill, a fill moves a position.
Every job is named for what it is about, and every fact is kept once: a run that is repeated changes nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

from stockyard.app import App
from stockyard.model.job import Job
from stockyard.topology import Router
from stockyard.trading.demo.backtest import run_backtest
from stockyard.trading.demo.desk import Desk
from stockyard.trading.demo.exchange import Ack, PaperExchange
from stockyard.trading.demo.market import chunk_of
from stockyard.trading.demo.reconciliation import Reconciliation, reconcile
from stockyard.trading.demo.strategy import SLOW, orders_at
from stockyard.trading.payloads import (
    EvaluateSignals,
    IngestCandles,
    Order,
    PortfolioQuery,
    PriceUpdate,
    RecalculatePosition,
    Reconcile,
)
from stockyard.trading.queues import QueueName

USER = "user-1"

KEPT: Any = {"remove_on_complete": False}
"""The report reads every job's record: a replay has more price updates than the platform keeps."""

RECONCILE_EVERY = "1s"

STOP = "stop"
"""The flag that ends the recurring reconciliation."""

_CANDLE_LATENCY = 0.01


class Pipeline:
    """The handlers, with what they share.

    Args:
        app: where they add what follows.
        desk: the desk's file.
        exchange: the paper exchange.
        chunk: candles of one ingestion.
        pause: seconds between two chunks of a symbol.
    """

    def __init__(self, app: App, *, desk: Desk, exchange: PaperExchange, chunk: int, pause: float) -> None:
        self._app = app
        self._desk = desk
        self._exchange = exchange
        self._chunk = chunk
        self._pause = pause

    def routers(self) -> dict[QueueName, Router]:
        """Return the handlers of each queue."""
        return {
            QueueName.PORTFOLIO_HIGH_PRIORITY: _router(
                recalculate_position=self.recalculate_position, answer_query=self.answer_query
            ),
            QueueName.PORTFOLIO_LOW_PRIORITY: _router(update_price=self.update_price),
            QueueName.EXECUTION_ORDER_SUBMISSION: _router(submit_order=self.submit_order),
            QueueName.EXECUTION_RECONCILIATION: _router(reconcile=self.reconcile),
            QueueName.STRATEGY_SIGNALS: _router(evaluate_signals=self.evaluate_signals),
            QueueName.BACKTEST_JOBS: _backtests(),
            QueueName.EXCHANGE_CANDLE_INGESTION: _router(ingest_candles=self.ingest_candles),
        }

    async def ingest_candles(self, job: Job[IngestCandles]) -> int:
        """Fetch a chunk of candles; hand its prices and its signals on."""
        task = job.data
        await asyncio.sleep(_CANDLE_LATENCY)
        candles = chunk_of(task.symbol, task.chunk, self._chunk)
        self._desk.store_candles(candles)
        await self._app.queue(QueueName.PORTFOLIO_LOW_PRIORITY).add_many(
            (
                "update-price",
                PriceUpdate(each.symbol, each.day, each.close),
                _named(f"price-{each.symbol}-{each.day}"),
            )
            for each in candles
        )
        await self._app.queue(QueueName.STRATEGY_SIGNALS).add(
            "evaluate-signals",
            EvaluateSignals(task.symbol, task.chunk),
            **_named(f"signals-{task.symbol}-{task.chunk}"),
        )
        return len(candles)

    async def evaluate_signals(self, job: Job[EvaluateSignals]) -> int:
        """Find the crosses of a chunk, order them, and ask for the symbol's next chunk."""
        task = job.data
        until = (task.chunk + 1) * self._chunk
        new = len(chunk_of(task.symbol, task.chunk, self._chunk))
        seen = self._desk.candles(task.symbol, until - self._chunk + new, new + SLOW)
        orders = orders_at(seen, first=len(seen) - new)
        self._desk.record_signals(orders)
        await self._app.queue(QueueName.EXECUTION_ORDER_SUBMISSION).add_many(
            ("submit-order", order, _named(order.client_order_id)) for order in orders
        )
        if chunk_of(task.symbol, task.chunk + 1, self._chunk):
            await self._app.queue(QueueName.EXCHANGE_CANDLE_INGESTION).add(
                "ingest-candles",
                IngestCandles(task.symbol, task.chunk + 1),
                delay=self._pause,
                **_named(f"candles-{task.symbol}-{task.chunk + 1}"),
            )
        return len(orders)

    async def update_price(self, job: Job[PriceUpdate]) -> None:
        """Keep the newest price."""
        self._desk.update_price(job.data.symbol, job.data.day, job.data.price)

    async def submit_order(self, job: Job[Order]) -> Ack:
        """Place an order; its id makes a second attempt harmless."""
        ack = await self._exchange.place(job.data)
        if not ack.is_first:
            await job.log(f"the exchange had {ack.client_order_id} already, filled as {ack.fill_id}")
        await self._app.queue(QueueName.PORTFOLIO_HIGH_PRIORITY).add(
            "recalculate-position", RecalculatePosition(USER, job.data.symbol, ack.fill_id), **_named(ack.fill_id)
        )
        return ack

    async def recalculate_position(self, job: Job[RecalculatePosition]) -> bool:
        """Move the position by the fill, unless it was moved already."""
        return self._desk.apply_fill(self._exchange.fill(job.data.fill_id))

    async def answer_query(self, job: Job[PortfolioQuery]) -> dict[str, int]:
        """Send a user what the portfolio holds."""
        positions, _ = self._desk.positions()
        return {symbol: held.quantity for symbol, held in positions.items()}

    async def reconcile(self, job: Job[Reconcile]) -> Reconciliation:
        """Compare the exchange's book with the positions, and run again until stopped."""
        # Positions first: a fill that is applied is in the book already, the other way round it is in flight.
        positions, applied = self._desk.positions()
        found = reconcile(self._exchange.fills(), positions, applied)
        self._desk.record_reconciliation(job.data.run, found)
        if not self._desk.has_flag(STOP):
            await self._app.queue(QueueName.EXECUTION_RECONCILIATION).add(
                "reconcile",
                Reconcile(job.data.run + 1),
                delay=RECONCILE_EVERY,
                **_named(f"reconcile-{job.data.run + 1}"),
            )
        return found


def _named(job_id: str) -> Any:
    return {"job_id": job_id, **KEPT}


def _router(**handlers: Any) -> Router:
    router = Router()
    for name, handler in handlers.items():
        router.add(name.replace("_", "-"), handler)
    return router


def _backtests() -> Router:
    router = Router()
    router.add("run-backtest", run_backtest, executor="process")
    return router
