"""Looks after a queue's effects: makes the overdue unknown, asks the venue for them, forgets the settled."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from stockyard._aio.repeats import repeats
from stockyard._aio.service import Periodic
from stockyard._store import effects as store
from stockyard._store.keyspace import QueueKeyspace
from stockyard.effects.decision import NO_VENUE, asks_at, judge
from stockyard.effects.waiting_job import wake
from stockyard.errors import StockyardError
from stockyard.model.effect_record import EffectOutcome, EffectRecord
from stockyard.model.payload import encode_payload
from stockyard.model.venue import Answer, Applied, UnknownHandler, Venue

_log = logging.getLogger(__name__)

KEPT_MS = 24 * 3_600_000
"""How long a settled effect is kept at least; longer where the venue's window is, and while its job exists."""

_INTERVAL_MS = 1_000


class EffectReconciler:
    """Looks after the effects of one queue; over all its workers once an interval.

    Args:
        keyspace: the queue.
        venue: its rules. Defaults to those of one that promises nothing.
        on_unknown: asks the venue what became of an effect. Defaults to nothing: streams and people settle.
        is_used: whether the queue declares effects; else it does nothing.
    """

    def __init__(
        self,
        keyspace: QueueKeyspace,
        *,
        venue: Venue | None = None,
        on_unknown: UnknownHandler | None = None,
        is_used: bool = True,
    ) -> None:
        self._keyspace = keyspace
        self._venue = venue or NO_VENUE
        self._on_unknown = on_unknown
        self._is_used = is_used
        self._periodic = Periodic(self.look, _INTERVAL_MS / 1000, name=f"effects of queue {keyspace.queue}")

    async def start(self) -> None:
        """Look now, and then in every interval."""
        if self._is_used:
            await self._periodic.start()

    async def stop(self) -> None:
        """End; stopping twice is fine."""
        await self._periodic.stop()

    async def look(self) -> None:
        """Look once, unless another worker did in this interval."""
        now, unknown = await store.review(
            self._keyspace,
            # A look comes a little earlier than the key of the one before it expires.
            interval_ms=_INTERVAL_MS * 9 // 10,
            keep_ms=max(KEPT_MS, self._venue.window_ms),
        )
        if self._on_unknown is None:
            return
        for record in unknown:
            # What a whole job did has no key that a venue knows.
            if not record.is_whole_job and asks_at(record, self._venue) <= now:
                await self.reconcile(record, self._on_unknown, asked_at=now)

    async def reconcile(self, record: EffectRecord, on_unknown: UnknownHandler, *, asked_at: int) -> None:
        """Ask for one effect, and settle it if the answer proves something.

        Args:
            record: the effect.
            on_unknown: asks the venue.
            asked_at: the time, ms since the epoch.
        """
        answer = await self._answer(record, on_unknown)
        outcome, note = EffectOutcome.UNKNOWN, ""
        value = ""
        try:
            outcome = judge(answer, record, self._venue, asked_at=asked_at)
            if isinstance(answer, Applied):
                note = answer.note
                value = encode_payload(answer.value, what=f"what on_unknown says of effect {record.key}").decode()
        except (TypeError, StockyardError) as error:
            repeats.warn(_log, f"on_unknown of queue {self._keyspace.queue}", error)
            outcome = EffectOutcome.UNKNOWN
        settlement = store.Settlement(
            outcome=outcome,
            by="reconciler",
            value=value,
            note=note,
            reason=(record.reason or "") if outcome is EffectOutcome.UNKNOWN else "",
            # The answer is about this attempt: should the effect be begun again meanwhile, it proves nothing.
            fence=str(record.fence),
            asked_at=asked_at,
        )
        code, _ = await store.settle(self._keyspace, record.key, settlement)
        if code == 0 and outcome is not EffectOutcome.UNKNOWN:
            await wake(self._keyspace, record)
            _log.info("effect %s of queue %s is settled: %s", record.key, self._keyspace.queue, outcome)

    async def _answer(
        self, record: EffectRecord, on_unknown: Callable[[EffectRecord], Awaitable[Answer]]
    ) -> Answer:
        try:
            return await on_unknown(record)
        except Exception as error:  # it is the user's code, and asks a venue
            repeats.warn(_log, f"on_unknown of queue {self._keyspace.queue}", error)
            return None
