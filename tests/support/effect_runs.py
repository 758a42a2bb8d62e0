"""Runs of one job that submits an order, and crashes somewhere; simulated, on a real server and a stopped clock.

A run is the code that a handler has: it enters the block of an effect, sends, waits for the reply and records it.
A crash is a run that is not continued. Time passes where the simulation says so.
"""

import random
from contextlib import suppress
from typing import Any

from stockyard._store import effects as store
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.server import Server
from stockyard.effects import Effect, EffectOutcome, EffectRecord, EffectRecorded, NotApplied, OutcomeUnknown
from stockyard.effects.decision import asks_at
from stockyard.effects.gate import EffectGate
from stockyard.effects.reconciler import EffectReconciler
from stockyard.errors import Delay
from stockyard.model.duration import milliseconds
from stockyard.model.effect_port import EffectReport, EffectRequest, EffectStart
from stockyard.model.effectful import Effectful
from stockyard.model.naming import Naming
from stockyard.model.options import JobOptions
from tests.support.paper_venue import SETTLE, PaperVenue, Request

KEY = "order-1"
MOST = 800
CRASHES = (
    "before intent",
    "intent written",
    "sent",
    "reply in hand",
    "recorded",
    "reconciling twice",
    "fenced success",
    "fenced failure",
    "refused before sending",
)
"""Where the first run ends; what a fenced run knows comes when another has gone on."""

_MOST_RUNS = 300


class _Port:
    """The gate, as the port of a job."""

    def __init__(self, gate: EffectGate) -> None:
        self._gate = gate

    async def begin_effect(self, job_id: str, request: EffectRequest) -> EffectStart:
        return await self._gate.begin(job_id, request)

    async def report_effect(self, job_id: str, report: EffectReport) -> str:
        return await self._gate.report(report)

    def blocking(self, target: Any) -> Any:
        raise NotImplementedError


class _Job(Effectful):
    """The job, as the effect sees it."""

    id = "7"
    options = JobOptions()

    def __init__(self, port: _Port, starts: int) -> None:
        self.port = port
        self.data = {"symbol": "BTC"}
        self.attempts_started = starts

    @property
    def attempt(self) -> int:
        return self.attempts_started


class Simulation:
    """One job, its venue and its workers.

    Args:
        server: the real server.
        prefix: of its keys.
        rule: of the venue; see ``paper_venue.RULES``.
        verify: whether the queue has a reconciliation.
        seed: of all chance.
    """

    def __init__(self, server: Server, prefix: str, *, rule: str, verify: bool, seed: int) -> None:
        self.chance = random.Random(f"{rule} {verify} {seed}")
        self.now = 1_700_000_000_000 + seed * 1_000_000
        self.venue = PaperVenue(rule, self.chance)
        self._verify = verify
        self._starts = 0
        self._keyspace = QueueKeyspace(server, Naming(prefix), f"q{seed}", clock=lambda: self.now)
        rules = self.venue.venue(verify=verify)
        self._gate = EffectGate(self._keyspace, venue=rules, is_reconciled=verify)
        self._rules = rules
        self._reconciler = EffectReconciler(self._keyspace, venue=rules, on_unknown=self._find)

    async def play(self, crash: str) -> tuple[EffectRecord | None, int]:
        """Let the first run end at ``crash``, and others follow; return the record and the orders in the book."""
        late = await self._first_run(crash)
        self.pass_time(self.chance.choice((1_000, 5_000, 20_000, 40_000)))
        if crash == "reconciling twice" and self._verify:
            await self._reconcile_twice()
        if late is not None and self.chance.random() < 0.5:
            await self._come_back(*late)
            late = None
        await self._later_runs()
        if late is not None:
            await self._come_back(*late)
        # All that is on its way has arrived, and whoever asks finds it.
        self.pass_time(10 * SETTLE)
        await self._reconcile()
        return await store.read(self._keyspace, KEY), self.venue.orders(KEY)

    def pass_time(self, milliseconds: int) -> None:
        """Let time pass; requests arrive."""
        self.now += milliseconds
        self.venue.advance(self.now)

    async def start(self) -> Effect:
        """Start the job, as a worker that takes it over does."""
        self._starts += 1
        keys = self._keyspace.keys
        await self._keyspace.server.ask(
            [
                ("HSET", keys.job("7"), "name", "submit", "ats", self._starts),
                ("SET", keys.of_job("7", "lock"), f"w:{self._starts}", "PX", 60_000),
            ]
        )
        job = _Job(_Port(self._gate), self._starts)
        return job.effect(KEY, max_duration=MOST / 1000)

    def send(self, effect: Effect) -> Request:
        """Send the order, signed with the effect's own deadline."""
        return self.venue.send(effect.key, now=self.now, deadline=effect.deadline)

    async def _first_run(self, crash: str) -> tuple[Effect, bool] | None:
        """Run until the crash; of a run that will come back, return its effect and whether it succeeded."""
        effect = await self.start()
        if crash == "before intent":
            return None
        await effect.begin()
        if crash == "intent written":
            return None
        if crash == "refused before sending":
            await effect.end(NotApplied("halted"))
            return None
        self.pass_time(self.chance.choice((0, 10, 200)))
        request = self.send(effect)
        if crash in ("sent", "reconciling twice"):
            return None
        if crash == "fenced failure":
            # It never hears from the venue, and gives up long after its lease.
            return effect, False
        self.pass_time(max(request.arrives - self.now, 0))
        is_taken = self.venue.orders(KEY) > 0
        if crash == "reply in hand" or not is_taken:
            return None
        if crash == "fenced success":
            return effect, True
        effect.record({"key": KEY})
        await effect.end(None)
        return None

    async def _come_back(self, effect: Effect, is_success: bool) -> None:
        if is_success:
            effect.record({"key": KEY})
            await effect.end(None)
        else:
            await effect.end(TimeoutError("no reply"))

    async def _later_runs(self) -> None:
        for _ in range(_MOST_RUNS):
            effect = await self.start()
            try:
                await effect.begin()
            except EffectRecorded:
                return
            except OutcomeUnknown:
                return
            except Delay as delay:
                self.pass_time(milliseconds(delay.delay, option="delay"))
                await self._reconcile()
                continue
            if self.chance.random() < 0.2:
                # This one crashes as well, before or behind the call.
                if self.chance.random() < 0.5:
                    self.send(effect)
                self.pass_time(self.chance.choice((900, 6_000)))
                continue
            if self.chance.random() < 0.1:
                # It is stopped before it sends, for certain; it may be the last attempt.
                with suppress(OutcomeUnknown):
                    await effect.end(NotApplied("halted"))
                if self.chance.random() < 0.5:
                    return
                continue
            request = self.send(effect)
            left = effect.deadline - self.now
            self.pass_time(min(max(request.arrives - self.now, 0), left))
            if self.now >= request.arrives and self.venue.orders(KEY):
                effect.record({"key": KEY})
                await effect.end(None)
                return
            # No reply in time: the next attempt decides.
            await effect.end(TimeoutError("no reply"))
            self.pass_time(self.chance.choice((100, 2_000)))
        raise AssertionError("the job is tried for ever")

    async def _reconcile(self) -> None:
        record = await store.read(self._keyspace, KEY)
        if self._verify and record is not None and self._is_due(record):
            await self._reconciler.reconcile(record, self._find, asked_at=self.now)

    async def _reconcile_twice(self) -> None:
        """Two workers ask at the same time; between question and answer, the job may have been begun again."""
        record = await store.read(self._keyspace, KEY)
        if record is None or not self._is_due(record):
            return
        asked_at = self.now
        answer = await self.venue.find(record, now=asked_at)

        async def answered(_effect: EffectRecord) -> Any:
            return answer

        if self.chance.random() < 0.5:
            effect = await self.start()
            with suppress(Delay, OutcomeUnknown, EffectRecorded):
                await effect.begin()
                self.send(effect)
            self.pass_time(self.chance.choice((10, 5_000)))
        for _ in range(2):
            await self._reconciler.reconcile(record, answered, asked_at=asked_at)

    def _is_due(self, record: EffectRecord) -> bool:
        is_over = record.outcome == EffectOutcome.UNKNOWN or (
            record.outcome == EffectOutcome.OPEN and record.deadline <= self.now
        )
        return is_over and asks_at(record, self._rules) <= self.now

    async def _find(self, effect: EffectRecord) -> Any:
        return await self.venue.find(effect, now=self.now)


def broken(record: EffectRecord | None, orders: int) -> str:
    """Return what a simulation did wrong by the venue's book, or nothing."""
    outcome = None if record is None else record.outcome
    if orders > 1:
        return f"{orders} orders, outcome {outcome}"
    if outcome == EffectOutcome.FAILED and orders:
        return "failed, and there is an order"
    if outcome == EffectOutcome.COMMITTED and not orders:
        return "committed, and there is no order"
    return ""
