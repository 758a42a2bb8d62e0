"""What a replay comes to: figures of each queue, and invariants that hold or do not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from stockyard.effects import EffectOutcome, EffectRecord
from stockyard.observe.health import QueueHealth
from stockyard.trading.demo.backtest import BacktestResult
from stockyard.trading.demo.exchange import Fill
from stockyard.trading.demo.market import TICKS, history
from stockyard.trading.demo.reconciliation import Holding, Reconciliation, book_of
from stockyard.trading.demo.strategy import orders_at


class Record(msgspec.Struct, frozen=True):
    """What the report reads of one finished job; times in ms."""

    id: str
    name: str
    starts: int
    stalls: int
    started_on: int
    waited: int


class QueueFigures(msgspec.Struct, frozen=True):
    """One queue over the whole replay; waits in ms, of jobs that ran once, from due to started."""

    name: str
    processed: int
    failed: int
    retried: int
    wait_p50: int
    wait_p99: int


class Check(msgspec.Struct, frozen=True):
    """One invariant: whether it holds, and by which figures."""

    name: str
    ok: bool
    found: str


class Report(msgspec.Struct, frozen=True):
    """The whole result.

    Attributes:
        ok: whether every check holds.
        seconds: from the first job to the last.
        symbols: what was replayed.
        candles, jobs, jobs_per_second: how much was done.
        queues: figures by queue.
        checks: the invariants.
        backtests: results of the sweep, best first.
        notes: further remarks.
    """

    ok: bool
    seconds: float
    symbols: tuple[str, ...]
    candles: int
    jobs: int
    jobs_per_second: int
    queues: tuple[QueueFigures, ...]
    checks: tuple[Check, ...]
    backtests: tuple[BacktestResult, ...]
    notes: tuple[str, ...]


def figures_of(health: QueueHealth, records: Sequence[Record]) -> QueueFigures:
    """Return a queue's figures from the records of its finished jobs."""
    waits = sorted(record.waited for record in records if record.starts == 1)
    return QueueFigures(
        health.name,
        processed=health.completed,
        failed=health.failed,
        retried=sum(max(record.starts - 1, 0) for record in records),
        wait_p50=percentile(waits, 50),
        wait_p99=percentile(waits, 99),
    )


def percentile(ordered: Sequence[int], percent: int) -> int:
    """Return the smallest value that so many percent do not exceed, 0 of none."""
    return ordered[math.ceil(len(ordered) * percent / 100) - 1] if ordered else 0


def overtaken(records: Sequence[Record], urgent: str, others: str) -> list[int]:
    """Return, for each job whose id begins with ``urgent``, how many of the others started after it."""
    behind = sorted(record.started_on for record in records if record.id.startswith(others))
    return [
        sum(started > record.started_on for started in behind)
        for record in records
        if record.id.startswith(urgent) and record.starts == 1
    ]


def check_candles(symbols: Sequence[str], kept: int) -> Check:
    """Every candle was kept once."""
    total = sum(len(history(symbol)) for symbol in symbols)
    return Check("every candle ingested once", kept == total, f"{kept:,} kept of {total:,}")


def check_prices(symbols: Sequence[str], prices: Mapping[str, tuple[object, int]]) -> Check:
    """Each symbol's newest price is that of its last candle."""
    right = [
        symbol
        for symbol in symbols
        if prices.get(symbol) == (history(symbol)[-1].day, round(history(symbol)[-1].close * TICKS))
    ]
    return Check(
        "prices are those of the last candles",
        len(right) == len(symbols),
        f"{len(right)} of {len(symbols)} symbols",
    )


def check_signals(symbols: Sequence[str], seen: Sequence[tuple[str, str, str]]) -> Check:
    """The signals are those of one pass over the history, in the order of each symbol's candles."""
    right = 0
    for symbol in symbols:
        expected = [order.client_order_id for order in orders_at(history(symbol))]
        right += [order for order, of, _ in seen if of == symbol] == expected
    return Check(
        "signals complete and in each symbol's order",
        right == len(symbols),
        f"{len(seen)} signals, {right} of {len(symbols)} symbols in order",
    )


def check_orders(seen: Sequence[tuple[str, str, str]], fills: Sequence[Fill]) -> Check:
    """Each signal has one order on the exchange, which fills whatever it is sent, and there is no other."""
    wanted = {order for order, _, _ in seen}
    placed = {fill.client_order_id for fill in fills}
    return Check(
        "one order per signal",
        bool(wanted) and wanted == placed and len(fills) == len(seen),
        f"{len(fills)} orders for {len(seen)} signals, {len(fills) - len(placed)} of them twice",
    )


def check_effects(effects: Sequence[EffectRecord], fills: Sequence[Fill]) -> Check:
    """The exchange's book and what is known of the orders agree: each is committed, and none is unknown."""
    committed = {effect.key for effect in effects if effect.outcome == EffectOutcome.COMMITTED}
    placed = {fill.client_order_id for fill in fills}
    settled = Counter(effect.resolved_by for effect in effects)
    return Check(
        "each order's outcome is known",
        committed == placed and len(effects) == len(committed),
        f"{len(committed)} of {len(effects)} committed: {settled['worker']} by the exchange's answer, "
        f"{settled['reconciler']} by asking it later, {settled['evidence']} by an answer that came late",
    )


def note_of_prices(health: QueueHealth) -> str:
    """Return what became of the price updates."""
    return (
        f"{health.replaced_total:,} price updates were replaced by newer ones while they waited, "
        f"{health.expired_total:,} expired; {health.completed:,} ran."
    )


def note_of(fates: Mapping[str, int]) -> str:
    """Return what the exchange did with its requests."""
    return (
        f"The exchange filled {fates.get('silent', 0)} orders without an answer, {fates.get('late', 0)} with one "
        f"that came too late, and {fates.get('lost', 0)} requests were lost on their way."
    )


def check_positions(fills: Sequence[Fill], positions: Mapping[str, Holding], applied: frozenset[str]) -> Check:
    """The positions are the exchange's book, to the ten-thousandth, each fill applied once."""
    book = book_of(fills)
    shares = ", ".join(f"{symbol} {held.quantity:+d}" for symbol, held in sorted(positions.items()))
    return Check(
        "positions equal the exchange's book",
        bool(book) and book == dict(positions) and len(applied) == len(fills),
        f"{len(applied)} of {len(fills)} fills applied: {shares}",
    )


def check_reconciliation(last: Reconciliation | None, runs: int, mismatches: int) -> Check:
    """No reconciliation found a mismatch, and the last found nothing in flight."""
    in_flight = "did not run" if last is None else f"left {last.in_flight} in flight"
    return Check(
        "reconciliations agree",
        last is not None and not last.in_flight and not last.mismatches and not mismatches,
        f"{runs} runs, {mismatches} mismatches, the last {in_flight}",
    )


def check_backtests(results: Sequence[BacktestResult], asked: int) -> Check:
    """Every backtest of the sweep has a result."""
    return Check("backtest sweep complete", len(results) == asked, f"{len(results)} of {asked} results")


def check_queues(healths: Sequence[QueueHealth], reasons: Sequence[str]) -> Check:
    """Nothing waits, runs or has failed for good; the reasons are those of jobs that have."""
    waiting, active, delayed, failed = (
        sum(getattr(health, state) for health in healths) for state in ("waiting", "active", "delayed", "failed")
    )
    return Check(
        "nothing lost, stuck or failed",
        not (waiting or active or delayed or failed),
        "; ".join([f"{waiting} waiting, {active} active, {delayed} delayed, {failed} failed", *reasons[:3]]),
    )


def check_processes(statuses: Mapping[str, int]) -> Check:
    """Every worker process that was not killed stopped in order."""
    clean = sum(not status for status in statuses.values())
    return Check("worker processes stopped in order", clean == len(statuses), f"{clean} of {len(statuses)}")


def check_recovery(frozen: tuple[str, int], killed: tuple[str, int], handed_back: int) -> Check:
    """The orders in the hands of a frozen and of a killed process, and whatever else they held, went to others."""
    return Check(
        "a frozen and a killed worker's jobs ran again",
        handed_back >= frozen[1] + killed[1],
        f"{frozen[0]} was frozen with {frozen[1]} orders in hand, {killed[0]} killed with {killed[1]}; "
        f"{handed_back} jobs of all queues handed back",
    )
