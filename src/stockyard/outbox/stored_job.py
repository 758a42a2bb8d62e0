"""A job as an outbox stores it: checked when it is added, read again when it is relayed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from stockyard import telemetry
from stockyard._logging import current_job
from stockyard.errors import PayloadError
from stockyard.model.arrangement import refuse_misfit
from stockyard.model.job_ids import checked_job_id
from stockyard.model.lineage import passed_on
from stockyard.model.options import JobOptions, carrying
from stockyard.model.sharding import refuse_numbered
from stockyard.produce.checked_jobs import checked_text
from stockyard.produce.relayed_adds import StoredAdd
from stockyard.topology import QueueSpec

_NONE = JobOptions()
_options = msgspec.json.Decoder(JobOptions)


class PendingRow(NamedTuple):
    """A row that waits for its relay, in the order of the columns that are read.

    Attributes:
        sequence: its place in the order of adds.
        id: unique in the world; the server knows by it what was added.
        queue, name, data, options, job_id: the job; payload and options are JSON text.
        attempts: how often the queue has refused it.
    """

    sequence: int
    id: str
    queue: str
    name: str
    data: str
    options: str
    job_id: str
    attempts: int


def new_row(
    spec: QueueSpec, name: str, data: Any, options: Mapping[str, Any], *, check: bool | None, now: int
) -> dict[str, Any]:
    """Check a job as ``Queue.add`` does, with its errors, and return its row.

    Args:
        spec: its queue.
        name, data, options: the job.
        check: whether a declared handler must take it.
        now: the time in ms. A delay counts from now, not from when the job is relayed.
    """
    chosen = spec.defaults.merged(**options)
    if (cause := current_job.get()) is not None:
        chosen = passed_on(chosen, cause, options, is_declared=spec.lineage)
    if telemetry.tracer is not None:
        # The span is that of the code which adds the row: the relay is no part of its trace.
        chosen = carrying(chosen, telemetry.tracer.carrier())
    if spec.shards > 1 and chosen.job_id is not None:
        refuse_numbered(chosen.job_id)
    refuse_misfit(spec.name, spec.arrangement, chosen, way="an outbox")
    text = checked_text(spec, name, data, chosen, check=check)
    if chosen.expires_in_ms is not None:
        chosen = msgspec.structs.replace(chosen, expires_in_ms=None, expires_at_ms=chosen.expiry(now))
    if chosen.delay_ms and chosen.eta_ms is None:
        chosen = msgspec.structs.replace(chosen, eta_ms=now + chosen.delay_ms, delay_ms=0)
    row_id = uuid.uuid4().hex
    return {
        "id": row_id,
        "queue": spec.name,
        "name": str(name),
        "data": text,
        "options": encode_options(chosen),
        "job_id": chosen.job_id or f"outbox-{row_id}",
        "created_at": now,
    }


def encode_options(options: JobOptions) -> str:
    """Return the options that are not the usual ones, as JSON."""
    changed = {
        field: value
        for field, value in msgspec.structs.asdict(options).items()
        if field != "job_id" and value != getattr(_NONE, field)
    }
    return msgspec.json.encode(changed).decode()


def stored_add(row: PendingRow) -> StoredAdd:
    """Return what to add for a row.

    Raises:
        PayloadError: another program has written what is no job.
        InvalidOption: its id cannot be one.
    """
    try:
        options = _options.decode(row.options)
    except msgspec.MsgspecError as error:
        raise PayloadError(f"the options of row {row.sequence} cannot be read: {error}") from error
    if not row.name or not _is_json(row.data):
        raise PayloadError(f"row {row.sequence} has no name, or its payload is no JSON")
    chosen = msgspec.structs.replace(options, job_id=checked_job_id(row.job_id))
    return StoredAdd(row.id, row.name, row.data, chosen)


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.MsgspecError:
        return False
    return True
