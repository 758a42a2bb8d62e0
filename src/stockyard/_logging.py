"""Log lines that say which job they were written for, as JSON or as text."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, get_args

import msgspec

from stockyard import telemetry
from stockyard.errors import InvalidOption
from stockyard.model.job import Job
from stockyard.model.masking import mask_secrets, mask_value
from stockyard.model.options import JobOptions
from stockyard.model.printable import printable, printable_json, printable_lines

LogFormat = Literal["text", "json"]

current_job: ContextVar[Job[Any] | None] = ContextVar("stockyard_job", default=None)
"""The job that the running code works on; its tasks and threads inherit it."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_encode = msgspec.json.Encoder(enc_hook=str).encode
_chosen: tuple[LogFormat, int] | None = None


class JsonFormatter(logging.Formatter):
    """One JSON object a line.

    Its keys are ``time`` (UTC), ``level``, ``logger``, ``message``; of a line that was written for a job
    ``queue``, ``job`` and ``attempt``, and ``correlation_id`` where it has a lineage; in a span ``trace_id``,
    ``span_id`` and ``trace_flags``; with an exception ``exception``; and whatever was given as ``extra``.
    Secrets are masked: passwords in URLs, tokens, and values whose names say that they are secret.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        job = current_job.get()
        if job is not None:
            line |= {"queue": job.queue, "job": job.id, "attempt": job.attempt}
            if job.has_lineage:
                line["correlation_id"] = job.correlation_id
        line |= telemetry.log_fields()
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = record.stack_info
        return printable_json(_encode(_plain(line)).decode())


class TextFormatter(logging.Formatter):
    """Time, level and message, and the job in brackets; secrets are masked, control characters escaped."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Return the line without its traceback."""
        line, job = super().formatMessage(record), current_job.get()
        return line if job is None else f"{line} [{printable(f'{job.queue} job {job.id} attempt {job.attempt}')}]"

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and behind it, indented, what the message and the traceback have beyond one."""
        return printable_lines(mask_secrets(super().format(record)))


class _Numbered(Protocol):
    """A job, or a child's task of one."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def queue(self) -> str: ...
    @property
    def attempts_made(self) -> int: ...
    @property
    def options(self) -> JobOptions: ...


def about(job: _Numbered, attempt: int | None = None) -> str:
    """Name a job in a message: ``job 17 ('submit') of queue orders, attempt 2 of 3``.

    Args:
        job: the job.
        attempt: number of the attempt. Defaults to the one that runs.
    """
    number = job.attempts_made + 1 if attempt is None else attempt
    of = f" of {job.options.attempts}" if job.options.attempts > 1 else ""
    return f"job {plain(job.id)} ({job.name!r}) of queue {job.queue}, attempt {number}{of}"


def about_job(job: _Numbered, *, attempt: int | None = None, error: str | None = None) -> dict[str, Any]:
    """Return what a log line says of a job as ``extra``, for lines as JSON."""
    extra: dict[str, Any] = {
        "queue": job.queue,
        "job": job.id,
        "job_name": job.name,
        "attempt": job.attempts_made + 1 if attempt is None else attempt,
    }
    return extra if error is None else {**extra, "error": error}


def plain(text: str, most: int = 300) -> str:
    """Return text from outside as one line of a log: cut, control characters escaped, secrets masked."""
    masked = mask_secrets(text[: 10 * most])
    shown = masked if len(masked) <= most else f"{masked[:most]}…"
    return shown if shown.isprintable() else repr(shown)[1:-1]


def configure_logging(
    format: LogFormat = "json",  # noqa: A002
    level: int | str = logging.INFO,
    *,
    force: bool = True,
) -> None:
    """Let the root logger write to standard error; child processes of workers do the same.

    Args:
        format: ``"json"`` or ``"text"``. Defaults to ``"json"``.
        level: least severe level that is written. Defaults to INFO.
        force: replace handlers that the root logger has. Defaults to True; with False nothing happens if it has
            any.

    Raises:
        InvalidOption: the format or the level is not known.
    """
    global _chosen
    if format not in get_args(LogFormat):
        raise InvalidOption(f"a log format must be 'json' or 'text'; got {format!r}")
    number = logging.getLevelNamesMapping().get(level.upper()) if isinstance(level, str) else level
    if number is None:
        raise InvalidOption(f"unknown log level {level!r}")
    if logging.root.handlers and not force:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], level=number, force=force)
    _chosen = format, number


def chosen_logging() -> tuple[LogFormat, int] | None:
    """Return the last settings of ``configure_logging``, for child processes; None if nothing."""
    return _chosen


def _plain(line: dict[str, Any]) -> Any:
    """Return what JSON can hold of a line, the secrets in its texts masked."""
    try:
        return mask_value(msgspec.to_builtins(line, enc_hook=str, str_keys=True))
    except Exception:
        # A log line must not fail for an object that cannot be shown.
        return {key: mask_secrets(value) for key, value in line.items() if isinstance(value, str)}
