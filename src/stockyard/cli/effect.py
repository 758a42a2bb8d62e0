"""`stockyard effect`: what jobs did outside, what is unknown of it, and settling that."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App as Command
from cyclopts import Parameter

from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import say, show_json, show_table, when
from stockyard.cli.options import AsJson
from stockyard.cli.person import user_name
from stockyard.effects.effects import FINDINGS
from stockyard.errors import InvalidOption
from stockyard.model.effect_errors import EffectNotFound
from stockyard.model.effect_record import EffectRecord

effect = Command(name="effect", help="List effects that are unknown, show one, and settle it.")

Queue = Annotated[str | None, Parameter(name="--queue", help="Name of the queue; all queues by default.")]
_COLUMNS = ("queue", "effect", "outcome", "job", "attempt", "started", "may have applied", "reason")
_AUDIT = ("queue", "key", "was", "outcome", "by", "note")


@effect.command(name="list")
async def list_effects(
    outcome: Literal["unknown", "open", "committed", "failed"] = "unknown",
    *,
    queue: Queue = None,
    count: int = 100,
    audit: bool = False,
    connection: Connection = DEFAULT,
    json: AsJson = False,
) -> None:
    """List effects of an outcome; unknown ones by default, the longest unknown first.

    Args:
        outcome: unknown, open, committed or failed.
        count: so many of each queue at most; 100 by default.
        audit: list who settled what instead, the latest first.
    """
    async with connection.open() as app:
        if audit:
            entries = await app.effects.audit(queue=queue, count=count)
            if json:
                show_json(entries)
            else:
                show_table(_AUDIT, [tuple(entry.get(column, "") for column in _AUDIT) for entry in entries])
            return
        found = await app.effects.list(outcome, queue=queue, count=count)
    if json:
        show_json(found)
    else:
        show_table(_COLUMNS, map(_row, found))


@effect.command
async def show(
    key: str, /, *, queue: Queue = None, connection: Connection = DEFAULT, json: AsJson = False
) -> None:
    """Show all that is known of an effect.

    Args:
        key: of the effect, as the client order id.
    """
    async with connection.open() as app:
        found = await app.effects.get(key, queue=queue)
    if found is None:
        raise EffectNotFound(f"there is no effect {key!r}{f' in queue {queue!r}' if queue else ''}")
    if json:
        show_json(found)
        return
    show_table(
        ("field", "value"), [(field, value) for field, value in _fields(found).items() if value is not None]
    )


@effect.command
async def resolve(
    key: str,
    finding: Literal["applied", "not-applied"],
    /,
    *,
    note: str,
    queue: Queue = None,
    connection: Connection = DEFAULT,
) -> None:
    """Settle an effect by what you have found out at the venue; who did and why is kept (effect list --audit).

    Args:
        key: of the effect.
        finding: applied or not-applied.
        note: how you know.
    """
    if not note.strip():
        raise InvalidOption("--note must say how you know: it is kept with the effect")
    async with connection.open() as app:
        record = await app.effects.settle(key, FINDINGS[finding], source=user_name(), note=note, queue=queue)
    say(f"effect {record.key} of queue {record.queue} is {record.outcome}")
    if record.outcome == "failed":
        say(f"its job is not tried again by itself: stockyard job retry {record.queue} {record.job_id}")


def _row(record: EffectRecord) -> tuple[object, ...]:
    return (
        record.queue,
        record.key,
        record.outcome,
        record.job_id,
        record.attempt,
        when(record.started_on),
        "yes" if record.may_have_applied else "no",
        record.reason or "",
    )


def _fields(record: EffectRecord) -> dict[str, object]:
    return {
        "effect": record.key,
        "queue": record.queue,
        "outcome": record.outcome,
        "job": record.job_id,
        "attempt": record.attempt,
        "worker": record.worker,
        "begun": record.fence,
        "first started": when(record.first_started_on),
        "started": when(record.started_on),
        "deadline": when(record.deadline),
        "ended": None if record.ended_on is None else when(record.ended_on),
        "may have applied": "yes" if record.may_have_applied else "no",
        "value": record.value,
        "reason": record.reason,
        "resolved by": record.resolved_by,
        "note": record.note,
        "evidence": record.evidence,
        "last asked": None if record.asked_on is None else when(record.asked_on),
    }
