"""Replays the candles through the seven queues: seeds the first jobs, watches, disturbs if asked, and reports."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

import msgspec

from stockyard.app import App
from stockyard.effects import EffectOutcome, EffectRecord
from stockyard.errors import JobFailed, ResultTimeout, ServerError
from stockyard.model.job import Job, JobState
from stockyard.observe.health import QueueHealth
from stockyard.trading.demo import report as reporting
from stockyard.trading.demo.backtest import GRID, BacktestResult, SweepRun
from stockyard.trading.demo.desk import Desk
from stockyard.trading.demo.exchange import PaperExchange
from stockyard.trading.demo.fleet import Fleet
from stockyard.trading.demo.market import history
from stockyard.trading.demo.options import DemoOptions
from stockyard.trading.demo.outage import kill_primary_of
from stockyard.trading.demo.pipeline import KEPT, NEWEST_KEPT, STOP, USER
from stockyard.trading.demo.reconciliation import Reconciliation
from stockyard.trading.demo.report import Record, Report
from stockyard.trading.demo.venue import ORDERS, VenueServer
from stockyard.trading.demo.view import Snapshot, View
from stockyard.trading.payloads import IngestCandles, PortfolioQuery, RecalculatePosition, Reconcile
from stockyard.trading.queues import QueueName, QueuePriority

_PRICES = QueueName.PORTFOLIO_LOW_PRIORITY
_LOOK_EVERY = 0.25
_RATE_LOOKS = 9
_BACKTEST_EVERY = "20s"
_TIMEOUT = 30.0
_RESENT = 300
_RESEND_AFTER = 40
_QUERIES = 10
_DYING_BACKTESTS = 2
_REPEATS = 2
_FREEZE_AT, _KILL_AT = 0.15, 0.3
_SEARCH_SECONDS = 5.0
_FROZEN_SECONDS = 5.0
"""Longer than twice the workers' leases: others take over what the frozen process holds."""
_FREEZE = 0.05
_PAGE = 1000


class Replay:
    """One replay.

    Args:
        app: the platform on the demo's server and prefix.
        options: what was asked for.
        fleet: the worker processes.
        desk, exchange: the files of facts.
        venue: the exchange's server.
        view: where it is shown.
        pause: seconds between two chunks of a symbol.
        cluster: folder of an embedded cluster of which one primary is killed in the middle; None for none.
    """

    def __init__(
        self,
        app: App,
        *,
        options: DemoOptions,
        fleet: Fleet,
        desk: Desk,
        exchange: PaperExchange,
        venue: VenueServer,
        view: View,
        pause: float,
        cluster: Path | None = None,
    ) -> None:
        self._app = app
        self._options = options
        self._kept = NEWEST_KEPT if options.is_endless else KEPT
        self._fleet = fleet
        self._desk = desk
        self._exchange = exchange
        self._venue = venue
        self._view = view
        self._timeout = _TIMEOUT + 2 * pause
        self._candles = sum(len(history(symbol)) for symbol in options.chosen)
        self._repeats: Counter[str] = Counter()
        self._is_resent = False
        self._cluster = cluster
        self._has_outage = False
        self._frozen: tuple[str, int] | None = None
        self._killed: tuple[str, int] | None = None

    async def run(self) -> Report:
        """Replay, and return the report."""
        for _ in range(2):
            self._fleet.start()
        begun = time.monotonic()
        await self._seed()
        killing = asyncio.create_task(self._break_workers()) if self._options.inject_failures else None
        try:
            await self._watch(begun, killing)
        finally:
            if killing is not None:
                killing.cancel()
        seconds = time.monotonic() - begun
        last = await self._reconcile_finally()
        statuses = await asyncio.to_thread(self._fleet.stop)
        return await self._report(seconds, last, statuses)

    async def _seed(self) -> None:
        queue = self._app.queue
        await queue(QueueName.EXCHANGE_CANDLE_INGESTION).add_many(
            ("ingest-candles", IngestCandles(symbol, 0), {"job_id": f"candles-{symbol}-0", **self._kept})
            for symbol in self._options.chosen
        )
        await queue(QueueName.EXECUTION_RECONCILIATION).add(
            "reconcile", Reconcile(1), job_id="reconcile-1", delay="1s", **self._kept
        )
        dying = _DYING_BACKTESTS if self._options.inject_failures else 0
        await queue(QueueName.BACKTEST_JOBS).add_many(
            (
                "run-backtest",
                SweepRun(self._options.chosen, fast, slow, dies_first=at < dying),
                {"job_id": f"backtest-{fast}-{slow}", **self._kept},
            )
            for at, (fast, slow) in enumerate(GRID)
        )
        if self._options.is_endless:
            await self._app.schedules(QueueName.BACKTEST_JOBS).upsert(
                "backtest-again",
                name="run-backtest",
                data=SweepRun(self._options.chosen, *GRID[0]),
                every=_BACKTEST_EVERY,
                **self._kept,
            )

    async def _watch(self, begun: float, killing: asyncio.Task[None] | None) -> None:
        moved, moved_at = 0, begun
        recent = deque([(begun, 0)], maxlen=_RATE_LOOKS)
        while True:
            self._fleet.check()
            await self._kill_a_primary()
            try:
                healths, is_repeated = await self._app.health(), await self._disturb()
            except ServerError as error:
                if self._cluster is None:
                    raise
                # What was sent has an id of its own, or is one query more.
                self._view.say(f"{error}; looking again")
                continue
            now = time.monotonic()
            done = sum(health.completed for health in healths)
            recent.append((now, done))
            (since, done_then), applied = recent[0], self._applied()
            rate = round((done - done_then) / max(now - since, 0.001))
            self._view.show(self._snapshot(now - begun, healths, applied, rate))
            if killing is not None and killing.done():
                killing.result()
            is_over = (
                not self._options.is_endless
                and self._is_resent
                and not is_repeated
                and not any(map(_is_busy, healths))
            )
            if is_over and (killing is None or killing.done()):
                return
            before, moved = moved, applied + sum(health.completed for health in healths if _is_driven(health))
            if moved > before:
                moved_at = now
            if now - moved_at > self._timeout and not self._options.is_endless:
                self._view.say(f"nothing was finished for {self._timeout:.0f} s: giving up")
                return
            await asyncio.sleep(_LOOK_EVERY)

    async def _kill_a_primary(self) -> None:
        if self._cluster is not None and not self._has_outage and self._desk.candle_count() > self._candles / 2:
            self._has_outage = True
            place = await kill_primary_of(self._app, _PRICES, self._cluster)
            self._view.say(f"killed the primary at {place}; its replica takes over")

    def _applied(self) -> int:
        _, applied = self._desk.positions()
        return len(applied)

    def _snapshot(self, seconds: float, healths: list[QueueHealth], applied: int, rate: int) -> Snapshot:
        in_all = None if self._options.is_endless else self._candles
        orders = self._exchange.count()
        return Snapshot(seconds, healths, self._desk.candle_count(), in_all, orders, applied, rate)

    async def _disturb(self) -> bool:
        """Do what users and exchanges do meanwhile: ask, resend, and repeat lost backtests; report the last."""
        high = self._app.queue(QueueName.PORTFOLIO_HIGH_PRIORITY)
        query: Any = ("answer-query", PortfolioQuery(USER), {"priority": QueuePriority.CRITICAL, **self._kept})
        await high.add_many([query])
        fills = self._exchange.fills()
        is_read = self._desk.candle_count() == self._candles
        if not self._is_resent and (len(fills) >= _RESEND_AFTER or (fills and is_read)):
            resent = itertools.islice(itertools.cycle(fills), _RESENT)
            await high.add_many(
                (
                    "recalculate-position",
                    RecalculatePosition(USER, fill.symbol, fill.fill_id),
                    {"job_id": f"resent-{number}", **self._kept},
                )
                for number, fill in enumerate(resent)
            )
            await high.add_many((*query[:2], {**query[2], "job_id": f"query-{each}"}) for each in range(_QUERIES))
            self._is_resent = True
        lost = await self._app.queue(QueueName.BACKTEST_JOBS).get_jobs(JobState.FAILED)
        again = [job for job in lost if self._repeats[job.id] < _REPEATS]
        for job in again:
            self._repeats[job.id] += 1
            self._view.say(f"{job.id} failed ({job.failed_reason}); asked for again")
            await job.retry()
        return bool(again)

    async def _break_workers(self) -> None:
        """Freeze a worker process that is submitting orders for longer than its leases, then kill one."""
        victim, held = await self._stopped_with_orders(at=_FREEZE_AT)
        self._view.say(f"{victim} was frozen with {held} orders in hand, for {_FROZEN_SECONDS:.0f} s")
        await asyncio.sleep(_FROZEN_SECONDS)
        self._fleet.thaw(victim)
        self._frozen = victim, held
        victim, held = await self._stopped_with_orders(at=_KILL_AT)
        self._fleet.kill(victim)
        self._killed = victim, held
        self._view.say(f"{victim} was killed with {held} orders in hand; {self._fleet.start()} started")

    async def _stopped_with_orders(self, *, at: float) -> tuple[str, int]:
        """Stop a process by SIGSTOP once that share of the candles is there; return its name, and its orders."""
        while self._desk.candle_count() < self._candles * at:  # noqa: ASYNC110 - other processes write it
            await asyncio.sleep(0.05)
        deadline = time.monotonic() + _SEARCH_SECONDS
        while True:
            await asyncio.sleep(0.005)
            in_hand = await self._orders_in_hand()
            is_late = time.monotonic() > deadline
            if not in_hand and not is_late:
                continue
            victim = in_hand.most_common(1)[0][0] if in_hand else self._fleet.names[0]
            # It may have just ended them: what it holds is certain only once it stands still.
            self._fleet.freeze(victim)
            await asyncio.sleep(_FREEZE)
            held = (await self._orders_in_hand())[victim]
            if held or is_late:
                return victim, held
            self._fleet.thaw(victim)

    async def _orders_in_hand(self) -> Counter[str]:
        active = await self._app.queue(QueueName.EXECUTION_ORDER_SUBMISSION).get_jobs(JobState.ACTIVE)
        return Counter(job.processed_by for job in active if job.processed_by in self._fleet.names)

    async def _reconcile_finally(self) -> Reconciliation | None:
        self._desk.raise_flag(STOP)
        runs, _ = self._desk.reconciliations()
        last = await self._app.queue(QueueName.EXECUTION_RECONCILIATION).add(
            "reconcile", Reconcile(runs + 1000), job_id="reconcile-last", delay="1500ms", **KEPT
        )
        try:
            return msgspec.convert(await last.wait_for_result(_TIMEOUT), Reconciliation)
        except (JobFailed, ResultTimeout):
            return None

    async def _report(self, seconds: float, last: Reconciliation | None, statuses: dict[str, int]) -> Report:
        healths = await self._app.health()
        records = {health.name: await self._records(health.name) for health in healths}
        results = await self._results()
        signals, fills = self._desk.signals(), self._exchange.fills()
        positions, applied = self._desk.positions()
        effects = await self._effects()
        symbols = self._options.chosen
        checks = [
            reporting.check_candles(symbols, self._desk.candle_count()),
            reporting.check_prices(symbols, self._desk.prices()),
            reporting.check_signals(symbols, signals),
            reporting.check_orders(signals, fills),
            reporting.check_effects(effects, fills),
            reporting.check_positions(fills, positions, applied),
            reporting.check_reconciliation(last, *self._desk.reconciliations()),
            reporting.check_backtests(results, len(GRID)),
            reporting.check_queues(healths, await self._failures()),
            reporting.check_processes(statuses),
        ]
        if self._frozen is not None and self._killed is not None:
            stalls = sum(record.stalls for each in records.values() for record in each)
            checks.append(reporting.check_recovery(self._frozen, self._killed, stalls))
        jobs = sum(health.completed for health in healths)
        return Report(
            ok=all(check.ok for check in checks),
            seconds=round(seconds, 3),
            symbols=symbols,
            candles=self._desk.candle_count(),
            jobs=jobs,
            jobs_per_second=round(jobs / seconds),
            queues=tuple(reporting.figures_of(health, records[health.name]) for health in healths),
            checks=tuple(checks),
            backtests=tuple(sorted(results, key=lambda result: result.sharpe, reverse=True)),
            notes=(
                *_notes(records[QueueName.PORTFOLIO_HIGH_PRIORITY]),
                reporting.note_of_prices(next(each for each in healths if each.name == _PRICES)),
                reporting.note_of(self._venue.fates),
            ),
        )

    async def _failures(self) -> list[str]:
        return [
            f"{name} {job.id}: {job.failed_reason}"
            for name in QueueName
            for job in await self._app.queue(name).get_jobs(JobState.FAILED)
        ]

    async def _effects(self) -> list[EffectRecord]:
        listed = [
            await self._app.effects.list(outcome, queue=QueueName.EXECUTION_ORDER_SUBMISSION, count=10_000)
            for outcome in EffectOutcome
        ]
        return [effect for effects in listed for effect in effects]

    async def _records(self, name: str) -> list[Record]:
        return [_record(job) async for job in self._jobs(name)]

    async def _results(self) -> list[BacktestResult]:
        return [
            msgspec.convert(job.return_value, BacktestResult) async for job in self._jobs(QueueName.BACKTEST_JOBS)
        ]

    async def _jobs(self, name: str) -> Any:
        for page in itertools.count(1):
            jobs = await self._app.queue(name).get_jobs(JobState.COMPLETED, page=page, size=_PAGE)
            for job in jobs:
                yield job
            if len(jobs) < _PAGE:
                return


def _is_busy(health: QueueHealth) -> bool:
    """Whether there is more to come; the reconciliation recurs for ever."""
    recurs = health.name == QueueName.EXECUTION_RECONCILIATION
    return not recurs and bool(health.waiting or health.active or health.delayed)


def _is_driven(health: QueueHealth) -> bool:
    """Whether its finished jobs show that the replay moves: two queues are kept busy by the clock alone."""
    return health.name not in (QueueName.EXECUTION_RECONCILIATION, QueueName.PORTFOLIO_HIGH_PRIORITY)


def _record(job: Job[Any]) -> Record:
    started = job.processed_on or job.timestamp
    waited = max(started - job.timestamp - job.options.delay_ms, 0)
    return Record(job.id, job.name, job.attempts_started, job.stalled_count, started, waited)


def _notes(high: list[Record]) -> list[str]:
    notes = [f"Orders waited for the paper exchange's limit of {ORDERS} a second, which all workers share."]
    ahead = sorted(reporting.overtaken(high, "query-", "resent-"))
    resent = sum(record.id.startswith("resent-") for record in high)
    if ahead:
        notes.append(
            f"{len(ahead)} CRITICAL queries were asked behind {resent} HIGH fills that the exchange sent again; "
            f"each overtook {reporting.percentile(ahead, 50)} of them (median)."
        )
    return notes
