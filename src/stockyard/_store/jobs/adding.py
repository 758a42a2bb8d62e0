"""Adds jobs: many in one call, in the order given."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec
from msgspec.structs import astuple

from stockyard._store.ids import shown_id
from stockyard._store.jobs.arranging import (
    ArrangedJob,
    arrangement_at,
    arranging_arguments,
    arranging_refusal,
    arranging_script,
)
from stockyard._store.jobs.indexing import note_added
from stockyard._store.jobs.options_text import options_text
from stockyard._store.jobs.related_job import RelatedJob, refusal
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.connection import Command
from stockyard._store.net.script_call import ScriptCall
from stockyard._store.records import StoredRecord
from stockyard._store.scripts import Script, load
from stockyard._wire.options import encode_options
from stockyard.errors import StockyardError
from stockyard.model.options import JobOptions

BATCH = 50
"""Jobs that one script call adds, about half a millisecond of the server."""

_ADD = load("adding.add")
_ATTACH = load("adding.attach")
_RELAY = load("adding.relay")
_SHORT = 2
"""Values of an answer that is no record, at most."""

_pack = msgspec.msgpack.Encoder().encode
_latest: tuple[JobOptions, str] = (JobOptions(), encode_options(JobOptions()))


class NewJob(msgspec.Struct, gc=False):
    """A checked job on its way, in the order that the script reads.

    Attributes:
        job_id: custom id, or ``QueueKeyspace.numbered`` for the queue's counter.
        name: chooses the handler.
        data: JSON text.
        options: BullMQ's JSON of the options.
        timestamp: creation in ms.
        delay_ms, priority, lifo: where it is placed.
    """

    job_id: str
    name: str
    data: str
    options: str
    timestamp: int
    delay_ms: int
    priority: int
    lifo: bool


SentJob = NewJob | RelatedJob | ArrangedJob
"""A job in the form that is sent."""

Batch = Sequence[NewJob] | Sequence[RelatedJob] | Sequence[ArrangedJob]
"""Jobs of one call: all of one kind."""


class ExistingJob(msgspec.Struct, frozen=True, gc=False):
    """A job that an add found in place of the given one.

    Attributes:
        job_id: its id.
        record: what the server holds of it, or None.
        is_unread: its record was too large for the reply: it is to be read by itself.
    """

    job_id: str
    record: StoredRecord | None = None
    is_unread: bool = False


Answer = str | ExistingJob | StockyardError
"""The id of a job that was added, what is there in its place, or why it was refused."""

Answers = Sequence[Answer]
"""For each job of a batch what became of it."""


def new_job(name: str, data: str, options: JobOptions, now: int, numbered: str = "") -> NewJob:
    """Put a job into the form that is sent; ``numbered`` stands for the id where the options name none."""
    global _latest
    # Most adds in a row share their queue's defaults: the same object, so that nothing is compared.
    known, text = _latest
    if known is not options:
        text = options_text(options)
        _latest = (options, text)
    return NewJob(
        options.job_id or numbered, name, data, text, now, options.delay_ms, options.priority, options.lifo
    )


def add_command(keyspace: QueueKeyspace, jobs: Batch) -> Command:
    """Return the command that adds one batch."""
    return keyspace.server.script_command(add_call(keyspace, jobs))


def add_call(keyspace: QueueKeyspace, jobs: Batch) -> ScriptCall:
    """Return the call that adds one batch."""
    first = jobs[0]
    if isinstance(first, ArrangedJob):
        script = arranging_script(arrangement_at(keyspace))
        return ScriptCall(script, keyspace.script_keys(script), arranging_arguments(keyspace, jobs))
    is_related = isinstance(first, RelatedJob)
    script = _ATTACH if is_related else _ADD
    # Their values one behind the other: a table for each job would cost the server a twentieth more.
    sent = jobs if is_related else list(chain.from_iterable(map(astuple, jobs)))
    return ScriptCall(script, keyspace.script_keys(script), (keyspace.base, _pack(sent)))


def scripts_of_adds(keyspace: QueueKeyspace) -> tuple[Script, ...]:
    """Return the scripts that add jobs to a queue."""
    plain = (_ADD, _ATTACH)
    return plain if keyspace.arrangement is None else (*plain, arranging_script(keyspace.arrangement))


def answers_of(keyspace: QueueKeyspace, reply: int | Sequence[bytes | int | list[Any]], jobs: Batch) -> Answers:
    """Read the reply of one batch."""
    if isinstance(reply, int):
        return [str(number) for number in range(reply, reply + len(jobs))]
    return [
        arranging_refusal(keyspace, answer, job)
        if isinstance(answer, int) and isinstance(job, ArrangedJob)
        else answer_of(answer, job)
        for answer, job in zip(reply, jobs, strict=True)
    ]


def answer_of(answer: bytes | int | list[Any], job: msgspec.Struct) -> Answer:
    """Read what became of one job."""
    if isinstance(answer, bytes):
        return answer.decode()
    if isinstance(answer, int):
        assert isinstance(job, RelatedJob)
        return refusal(answer, job)
    if len(answer) > _SHORT:
        record = StoredRecord._make(answer)
        return ExistingJob(shown_id(record.raw_id), record)
    return ExistingJob(shown_id(answer[0]), None, len(answer) == 1)


async def relay(
    keyspace: QueueKeyspace, jobs: Sequence[RelatedJob], *, memory_ms: int, most: int | None = None
) -> Answers:
    """Add jobs of an outbox in one call, in the order given, up to the first that is refused or finds no room.

    Args:
        keyspace: the queue.
        jobs: at most ``BATCH``, each with its row.
        memory_ms: a row that was added within so many milliseconds is not added again.
        most: jobs that may wait in the queue. Defaults to no limit.

    Returns:
        What became of each job; one that was refused is the last, and those that found no room are left out.
    """
    limit = -1 if most is None else most
    reply = await keyspace.run(_RELAY, keyspace.base, _pack(jobs), memory_ms, limit)
    answers = [answer_of(answer, job) for answer, job in zip(reply, jobs, strict=False)]
    await note_added(keyspace, jobs, answers)
    return answers
