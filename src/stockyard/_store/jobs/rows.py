"""Reads the records of jobs into jobs; a corrupt field is named, not guessed at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from stockyard._store.ids import shown_id
from stockyard._store.records import StartedRecord, StoredRecord
from stockyard._wire.options import decode_options
from stockyard.model.job import Job, JobPort
from stockyard.model.options import JobOptions
from stockyard.model.payload import tolerant
from stockyard.model.printable import LATEST

Decode = Callable[[bytes], Any]

_plain: Decode = tolerant(msgspec.json.Decoder().decode)
_texts = tolerant(msgspec.json.Decoder(tuple[str, ...]).decode)
_ZERO = b"0"
_known_options: dict[bytes, JobOptions] = {}


class CorruptRecord(Exception):
    """A stored field is not what the protocol says; the message names it."""


def options_of(text: bytes | None) -> JobOptions:
    """Read an ``opts`` field; equal texts are read once, as most jobs of a queue share theirs.

    Raises:
        CorruptRecord: it is no JSON object of options.
    """
    key = text or b""
    found = _known_options.get(key)
    if found is None:
        try:
            found = decode_options(text)
        except ValueError as error:
            raise CorruptRecord(f"corrupt job record: field 'opts' is {_shown(text)}: {error}") from error
        if len(_known_options) > 1000:
            _known_options.clear()
        _known_options[key] = found
    return found


def started_job(record: StartedRecord, queue: str, port: JobPort, now: int) -> Job[bytes]:
    """Read the record of a started job: the payload stays JSON text, for the handler's own decoder.

    Raises:
        CorruptRecord: a field cannot be read.
    """
    name, data, opts, timestamp, priority, delay, made, starts, stalls, progress, reason, stack, parent, _, raw = (
        record
    )
    try:
        return Job(
            raw.decode(),
            name.decode() if name else "",
            data or b"{}",
            options_of(opts),
            queue,
            _milliseconds(timestamp),
            port,
            0 if priority == _ZERO else int(priority or 0),
            0 if delay == _ZERO else _milliseconds(delay),
            int(made) if made else 0,
            int(starts or 0),
            int(stalls) if stalls else 0,
            _json(progress, "progress") if progress else None,
            None,
            reason.decode(errors="replace") if reason else None,
            _stack(stack) if stack else (),
            now,
            None,
            None,
            parent.decode() if parent else None,
        )
    except UnicodeDecodeError as error:
        raise CorruptRecord(
            f"corrupt job record: its id, name or parent is no UTF-8 text: {_shown(error.object)}"
        ) from error
    except (ValueError, OverflowError) as error:
        raise CorruptRecord(f"corrupt job record: a number or text field cannot be read: {error}") from error


def stored_job(record: StoredRecord, queue: str, port: JobPort) -> Job[Any]:
    """Read the record of a job in any state; what cannot be read as JSON is shown as the text that is there."""
    name, reason, stack, worker, parent = (
        record.name,
        record.failed_reason,
        record.stacktrace,
        record.worker,
        record.parent_key,
    )
    has_result = record.result is not None and record.ended is not None
    try:
        options = options_of(record.options)
    except CorruptRecord:
        options = JobOptions()
    return Job(
        shown_id(record.raw_id),
        (name or b"").decode(errors="replace"),
        _lenient(record.data),
        options,
        queue,
        _time(record.timestamp) or 0,
        port,
        _number(record.priority) or 0,
        _number(record.delay) or 0,
        _number(record.attempts_made) or 0,
        _number(record.starts) or 0,
        _number(record.stalls) or 0,
        _lenient(record.progress),
        _lenient(record.result),
        # A completed job's record keeps the reason of an earlier attempt: no peer removes it.
        reason.decode(errors="replace") if reason and not has_result else None,
        _stack(stack) if stack else (),
        _time(record.started),
        _time(record.ended),
        worker.decode(errors="replace") if worker else None,
        parent.decode(errors="replace") if parent else None,
    )


def _milliseconds(text: bytes | None) -> int:
    """Return a time; not every peer keeps to whole milliseconds."""
    return int(text) if text and text.isdigit() else int(float(text or 0))


def _number(text: bytes | None) -> int | None:
    try:
        found = None if text is None else int(float(text))
    except (ValueError, OverflowError):
        return None
    # More than a number of 64 bits could not be written as JSON.
    return found if found is not None and abs(found) < 2**63 else None


def _time(text: bytes | None) -> int | None:
    found = _number(text)
    return found if found is not None and 0 <= found <= LATEST else None


def _stack(text: bytes) -> tuple[str, ...]:
    try:
        return _texts(text)
    except msgspec.MsgspecError:
        return (text.decode(errors="replace"),)


def json_or_text(text: bytes) -> Any:
    """Decode JSON; text that is none is returned as it is, for a peer may have written anything."""
    try:
        return _plain(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return text.decode(errors="replace")


def _lenient(text: bytes | None) -> Any:
    return json_or_text(text) if text else None


def _json(text: bytes, field: str) -> Any:
    try:
        return _plain(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptRecord(f"corrupt job record: field {field!r} is {_shown(text)}: {error}") from error


def _shown(text: bytes | None) -> str:
    return repr((text or b"")[:80].decode(errors="replace"))
