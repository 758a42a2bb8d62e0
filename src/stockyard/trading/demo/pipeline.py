"""The handlers of the platform's queues: from a candle to a reconciled position.

A chunk of candles brings its price updates and its signal job; the signal job brings the orders, and the next
chunk of its symbol, so that a symbol's signals come in its order. An order brings a fill, a fill moves a position.
Every job is named for what it is about, and every fact is kept once: a run that is repeated changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from stockyard.app import App
from stockyard.model.effect import Effect
from stockyard.model.job import Job
from stockyard.model.options import AddOptions
from stockyard.topology import Coalesce, Router
from stockyard.trading.demo.backtest import run_backtest
from stockyard.trading.demo.desk import Desk
from stockyard.trading.demo.exchange import Ack, PaperExchange
from stockyard.trading.demo.market import Candle, chunk_of
from stockyard.trading.demo.reconciliation import Reconciliation, reconcile
from stockyard.trading.demo.strategy import SLOW, orders_at
from stockyard.trading.demo.venue import VenueClient
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
"""The report reads every job's record."""

NEWEST_KEPT: Any = {"remove_on_complete": 1_000}
"""Of a replay without an end, which reports nothing."""

RECONCILE_EVERY = "1s"

PRICE_LIFE = "1m"
"""After which nobody needs a price any more."""

STOP = "stop"
"""The flag that ends the recurring reconciliation."""

_CANDLE_LATENCY = 0.01
_ORDER_DURATION = "500ms"


class Pipeline:
    """The handlers, with what they share.

    Args:
        app: where they add what follows.
        desk: the desk's file.
        exchange: the book of the paper exchange.
        venue: where orders are placed.
        usage_of: what an order uses of the exchange's limits.
        chunk: candles of one ingestion.
        pause: seconds between two chunks of a symbol.
        is_endless: whether the candles begin again at their end. Defaults to False.
    """

    def __init__(
        self,
        app: App,
        *,
        desk: Desk,
        exchange: PaperExchange,
        venue: VenueClient,
        usage_of: Callable[[Order], AddOptions],
        chunk: int,
        pause: float,
        is_endless: bool = False,
    ) -> None:
        self._app = app
        self._desk = desk
        self._exchange = exchange
        self._venue = venue
        self._usage_of = usage_of
        self._chunk = chunk
        self._pause = pause
        self._is_endless = is_endless
        self._kept = NEWEST_KEPT if is_endless else KEPT

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
        candles = self._chunk_of(task.symbol, task.chunk)
        self._desk.store_candles(candles)
        await self._app.queue(QueueName.PORTFOLIO_LOW_PRIORITY).add_many(self._price_updates(candles))
        await self._app.queue(QueueName.STRATEGY_SIGNALS).add(
            "evaluate-signals",
            EvaluateSignals(task.symbol, task.chunk),
            key=task.symbol,
            **self._named(f"signals-{task.symbol}-{task.chunk}"),
        )
        return len(candles)

    async def evaluate_signals(self, job: Job[EvaluateSignals]) -> int:
        """Find the crosses of a chunk, order them, and ask for the symbol's next chunk."""
        task = job.data
        until = (task.chunk + 1) * self._chunk
        new = len(self._chunk_of(task.symbol, task.chunk))
        seen = self._desk.candles(task.symbol, until - self._chunk + new, new + SLOW)
        orders = orders_at(seen, first=len(seen) - new)
        self._desk.record_signals(orders)
        await self._app.queue(QueueName.EXECUTION_ORDER_SUBMISSION).add_many(
            ("submit-order", order, {**self._named(order.client_order_id), **self._usage_of(order)})
            for order in orders
        )
        if self._chunk_of(task.symbol, task.chunk + 1):
            await self._app.queue(QueueName.EXCHANGE_CANDLE_INGESTION).add(
                "ingest-candles",
                IngestCandles(task.symbol, task.chunk + 1),
                delay=self._pause,
                # The path to an order begins with its own candles, and not with the first of all.
                correlation_id=None,
                **self._named(f"candles-{task.symbol}-{task.chunk + 1}"),
            )
        return len(orders)

    async def update_price(self, job: Job[PriceUpdate]) -> None:
        """Keep the newest price."""
        self._desk.update_price(job.data.symbol, job.data.day, job.data.price)

    async def submit_order(self, job: Job[Order]) -> Ack:
        """Place an order at most once; a later attempt goes on with what the exchange answered the first."""

        async def place(effect: Effect) -> Ack:
            # First the clock, then what is left: a process that is frozen in between sends what has expired.
            return await self._venue.place(job.data, expires_at=time.time() + effect.remaining)

        effect = job.effect(job.data.client_order_id, max_duration=_ORDER_DURATION)
        ack = msgspec.convert(await effect.run(place), Ack)
        await self._app.queue(QueueName.PORTFOLIO_HIGH_PRIORITY).add(
            "recalculate-position",
            RecalculatePosition(USER, job.data.symbol, ack.fill_id),
            **self._named(ack.fill_id),
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
                **self._named(f"reconcile-{job.data.run + 1}"),
            )
        return found

    def _chunk_of(self, symbol: str, number: int) -> tuple[Candle, ...]:
        return chunk_of(symbol, number, self._chunk, is_endless=self._is_endless)

    def _price_updates(self, candles: Sequence[Candle]) -> Iterator[tuple[str, PriceUpdate, AddOptions]]:
        """Of the prices of a symbol that wait, the newest counts, also where a chunk is fetched twice."""
        for each in candles:
            update = PriceUpdate(each.symbol, each.day, each.close, each.day.toordinal())
            newest = Coalesce(f"price:{each.symbol}", mode="max", field="seq")
            options: AddOptions = {"coalesce": newest, "expires_in": PRICE_LIFE}
            yield "update-price", update, {**options, **self._kept}

    def _named(self, job_id: str) -> Any:
        return {"job_id": job_id, **self._kept}


def _router(**handlers: Any) -> Router:
    router = Router()
    for name, handler in handlers.items():
        router.add(name.replace("_", "-"), handler)
    return router


def _backtests() -> Router:
    router = Router()
    router.add("run-backtest", run_backtest, executor="process")
    return router
