"""The gate before an effect: asks the server, decides, and writes the intent; and writes the outcome behind it."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial

import msgspec

from stockyard._aio.gathered import Gathered
from stockyard._store import effects as store
from stockyard._store import halting
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.load_size import MOST_BYTES, MOST_JOBS
from stockyard._store.records import ReplyCode
from stockyard.effects.decision import NO_VENUE, Asked, Decision, Step, decide
from stockyard.model.effect_port import EffectReport, EffectRequest, EffectStart
from stockyard.model.effect_record import EffectOutcome, EffectRecord
from stockyard.model.halt import Halt
from stockyard.model.venue import Venue

_ROUNDS = 5
"""Times that a record may change between the look and the write: each time another worker has just begun it."""


class EffectGate:
    """The gate of one queue's effects; what many runs ask in one turn of the loop travels in few calls.

    Args:
        keyspace: the queue.
        venue: its rules. Defaults to those of one that promises nothing.
        is_reconciled: whether the queue has an ``on_unknown``. Defaults to False.
        may_run_once: whether its jobs run at most once: they then say that they began an effect. Defaults to True.
    """

    def __init__(
        self,
        keyspace: QueueKeyspace,
        *,
        venue: Venue | None = None,
        is_reconciled: bool = False,
        may_run_once: bool = True,
    ) -> None:
        self._keyspace = keyspace
        self._venue = venue or NO_VENUE
        self._is_reconciled = is_reconciled
        self._begun: Gathered[store.Intent, store.Begun] = Gathered(
            partial(store.begin, keyspace, marks=may_run_once),
            most=MOST_JOBS,
            most_bytes=MOST_BYTES,
            what="a call that begins effects",
        )
        self._reported: Gathered[EffectReport, str] = Gathered(
            partial(store.report, keyspace),
            most=MOST_JOBS,
            most_bytes=MOST_BYTES,
            weigh=lambda report: len(report.value),
            what="a call that reports effects",
        )

    async def begin(self, job_id: str, request: EffectRequest) -> EffectStart:
        """Write what a run is about to do, or say why it must not.

        Raises:
            ServerUnavailable: nothing happened.
            ReplyLost: it may be written; ask again with the same request.
        """
        if self._keyspace.shard:
            reason = "its queue has shards, which do not know of each other's effects"
            return EffectStart("refused", reason=f"effect {request.key} was not begun: {reason}")
        intent = store.Intent(
            job_id,
            str(request.starts),
            request.key,
            request.nonce,
            str(request.attempt),
            request.payload,
            request.most_ms,
            request.least_ms,
            "0",
            "",
            request.expires_at,
            request.halt_keys,
        )
        record: EffectRecord | None = None
        for _ in range(_ROUNDS):
            begun = await self._begun.ask(intent)
            code, now = begun.code, begun.now
            if code == 0:
                return EffectStart("begun", begun.fence, begun.started_on, begun.deadline, begun.left_ms)
            is_late = code == ReplyCode.JOB_EXPIRED
            if is_late and (record is None or record.outcome == EffectOutcome.FAILED):
                return EffectStart("expired", reason=f"effect {request.key} was not begun: its job has expired")
            if code == ReplyCode.QUEUE_HALTED:
                return await self._halted(job_id, request, begun.halt)
            if code != ReplyCode.EFFECT_EXISTS and not is_late:
                reason = store.REFUSALS.get(ReplyCode(code), str(code))
                return EffectStart("refused", reason=f"effect {request.key} was not begun: {reason}")
            if not is_late:
                # Else it was to be sent again, and stays what it was.
                record = begun.record
            decision = decide(
                record,
                Asked(request.payload, request.most_ms, now, is_late),
                self._venue,
                is_reconciled=self._is_reconciled,
            )
            await self._make_visible(record, decision, now)
            match decision.step:
                case Step.BEGIN | Step.RESEND:
                    intent.fence = "0" if record is None else str(record.fence)
                    intent.outcome = "" if record is None else record.outcome
                case Step.RETURN:
                    value = None if record is None else record.value
                    return EffectStart("recorded", value=msgspec.json.encode(value).decode())
                case Step.WAIT:
                    return EffectStart("wait", wait_ms=decision.wait_ms)
                case Step.UNKNOWN:
                    return EffectStart("unknown", reason=decision.reason)
                case Step.MISMATCH:
                    return EffectStart("mismatch", reason=decision.reason)
        return EffectStart("wait", wait_ms=request.most_ms)

    def report(self, report: EffectReport) -> Awaitable[str]:
        """Write how an effect ended; return the outcome that stands.

        Raises:
            ServerUnavailable: nothing happened.
            ReplyLost: it may be written; it may be sent again.
        """
        return self._reported.ask(report)

    async def _halted(self, job_id: str, request: EffectRequest, halt: Halt | None) -> EffectStart:
        """Take back an intent that was written before the halt, and whose reply was lost: its run does not act."""
        reason = "halted before it was begun"
        await self._reported.ask(EffectReport(request.key, request.nonce, 0, EffectOutcome.FAILED, "", reason))
        key = None if halt is None else halt.key
        if key is not None:
            # Its queue goes on: it is delayed, and runs as soon as the halt ends.
            await halting.note_held(self._keyspace, job_id)
        return EffectStart("halted", reason=f"effect {request.key} was not begun: {halt}", halted_key=key)

    async def _make_visible(self, record: EffectRecord | None, decision: Decision, now: int) -> None:
        """Make an open effect unknown that is not begun again, though its time is over."""
        is_over = record is not None and record.outcome == EffectOutcome.OPEN and now >= record.deadline
        if record is None or not is_over or decision.step not in (Step.WAIT, Step.UNKNOWN):
            return
        lost = store.Settlement(
            outcome="unknown", by="gate", reason="its worker said no more of it", fence=str(record.fence)
        )
        await store.settle(self._keyspace, record.key, lost)
