"""The effects of all queues of an App: look at them, list them, settle them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, get_args

from stockyard._aio.portal import Portal
from stockyard._store import effects as store
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from stockyard.blocking import BlockingEffects
from stockyard.effects.waiting_job import wake
from stockyard.model import checks
from stockyard.model.effect_errors import EffectNotFound, EffectStateError
from stockyard.model.effect_record import EffectOutcome, EffectRecord
from stockyard.model.fixed import Fixed
from stockyard.model.payload import encode_payload
from stockyard.topology import QueueSpec, Topology

Settled = Literal["committed", "failed"]

FINDINGS: dict[str, Settled] = {"applied": "committed", "not-applied": "failed"}
"""What a person finds at the venue → the outcome that this is."""


class Effects(Fixed):
    """The effects of an App's queues; ``App.effects``.

    Each method takes ``queue``: the queue's name, where two queues use the same key. Defaults to all queues, those
    that declare a venue or ``delivery="at_most_once"`` first.
    """

    def __init__(
        self, topology: Topology, *, keyspace: Callable[[QueueSpec], QueueKeyspace], portal: Portal
    ) -> None:
        self._topology = topology
        self._keyspace = keyspace
        self._portal = portal
        self._is_made = True

    @property
    def sync(self) -> BlockingEffects:
        """These effects for code without a running loop."""
        view: BlockingEffects = self._portal.blocking(self)
        return view

    async def get(self, key: str, *, queue: str | None = None) -> EffectRecord | None:
        """Return an effect by its key, or None.

        Raises:
            InvalidOption: the key is no text.
            UnknownQueue: the topology does not declare the queue.
        """
        found = await self._find(checks.text("key", key), queue)
        return None if found is None else found[1]

    async def list(
        self, outcome: str = EffectOutcome.UNKNOWN, *, queue: str | None = None, count: int = 100
    ) -> Sequence[EffectRecord]:
        """Return effects of an outcome: unknown and open ones the oldest first, settled ones the latest first.

        Args:
            outcome: an ``EffectOutcome`` or its text. Defaults to unknown.
            queue: see above.
            count: how many at most, of each queue. Defaults to 100.

        Raises:
            InvalidOption: there is no such outcome, or the count is no whole number from 1 to 10,000.
            UnknownQueue: the topology does not declare the queue.
        """
        checks.one_of("outcome", outcome, list(EffectOutcome))
        checks.whole("count", count, least=1, most=10_000)
        found: list[EffectRecord] = []
        for keyspace in self._keyspaces(queue):
            found += await store.read_page(keyspace, str(outcome), count)
        return found

    async def audit(self, *, queue: str | None = None, count: int = 100) -> Sequence[dict[str, str]]:
        """Return who settled what, the latest first, of each queue.

        Args:
            queue: see above.
            count: how many at most, of each queue; about 10,000 are kept. Defaults to 100.

        Raises:
            InvalidOption: the count is no whole number from 1 to 10,000.
            UnknownQueue: the topology does not declare the queue.
        """
        checks.whole("count", count, least=1, most=10_000)
        found: list[dict[str, str]] = []
        for keyspace in self._keyspaces(queue):
            found += [{"queue": keyspace.queue, **entry} for entry in await store.read_audit(keyspace, count)]
        return found

    async def settle(
        self,
        key: str,
        outcome: Settled,
        *,
        source: str,
        value: Any = None,
        note: str = "",
        queue: str | None = None,
    ) -> EffectRecord:
        """Say what became of an effect, and return how it stands then; from now on no run repeats it blindly.

        A consumer of the venue's own stream may call it at any time, ``source="stream"``; to say it twice is fine.
        Another source has to wait until the run that began the effect is over.

        Args:
            key: of the effect.
            outcome: ``"committed"``, or ``"failed"`` for certainly not applied.
            source: who says so: ``"stream"``, ``"person (ada)"``.
            value: what the venue said; a job that is tried again returns it. Defaults to None.
            note: why, for the record and the audit. Defaults to none.
            queue: see above.

        Raises:
            EffectNotFound: there is no such effect.
            EffectStateError: it is known to be applied, and ``outcome`` says it is not; or its run may be at it.
            InvalidOption: the outcome is none of these, or a text is none.
            PayloadError: the value is not JSON-able.
            UnknownQueue: the topology does not declare the queue.
        """
        checks.one_of("outcome", outcome, get_args(Settled))
        checks.line("note", note)
        settlement = store.Settlement(
            outcome=outcome,
            by=checks.text("source", source),
            value=encode_payload(value, what=f"the value of effect {key}").decode()
            if outcome == "committed"
            else "",
            note=note,
            waits=source != "stream",
        )
        found = await self._find(checks.text("key", key), queue)
        code, record = (
            (ReplyCode.EFFECT_MISSING, None) if found is None else await store.settle(found[0], key, settlement)
        )
        if found is None or record is None or code == ReplyCode.EFFECT_MISSING:
            raise EffectNotFound(f"there is no effect {key!r}{f' in queue {queue!r}' if queue else ''}")
        if code == ReplyCode.EFFECT_OPEN:
            raise EffectStateError(
                f"the run that began effect {key!r} may still be at it: settle it a little later"
            )
        if code == ReplyCode.EFFECT_SETTLED:
            raise EffectStateError(f"effect {key!r} is {record.outcome} already, by {record.resolved_by}")
        await wake(found[0], record)
        return record

    async def _find(self, key: str, queue: str | None) -> tuple[QueueKeyspace, EffectRecord] | None:
        for keyspace in self._keyspaces(queue):
            record = await store.read(keyspace, key)
            if record is not None:
                return keyspace, record
        return None

    def _keyspaces(self, queue: str | None) -> Iterable[QueueKeyspace]:
        # A queue with shards has no effects.
        known = (spec for spec in self._topology if spec.shards == 1)
        specs = list(known) if queue is None else [self._topology.spec(queue)]
        return [self._keyspace(spec) for spec in sorted(specs, key=lambda spec: not spec.uses_effects)]
