"""What a producer may say of a job, checked once at the door."""

from __future__ import annotations

from typing import Any, TypedDict, Unpack

import msgspec

from stockyard.errors import InvalidOption, suggestion
from stockyard.model.backoff import Backoff
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.retention import KeepOption, checked_keep

MAX_PRIORITY = 2_097_151
"""The largest priority number, which runs last; 0 means none and runs first."""

LONGEST_ID = 200
"""Characters of a custom id."""

RESERVED_IDS = frozenset(
    "id wait prioritized active delayed waiting-children completed failed paused meta events marker pc "
    "stalled stalled-check limiter repeat de dn metrics priority delay".split()
)
"""Ids that would name one of the queue's own keys."""


class AddOptions(TypedDict, total=False):
    """The options of ``add``; each left out takes the queue's default.

    Keys:
        job_id: the caller's own id; adding it again while its record exists adds nothing.
        delay: wait before it may run.
        priority: 1 runs before 2; up to 2,097,151. 0 is none, and runs before 1.
        attempts: how often it may be tried in all.
        backoff: wait between attempts.
        lifo: run it before what already waits.
        timeout: the handler is stopped after that long.
        remove_on_complete, remove_on_fail: retention of its record.
    """

    job_id: str
    delay: Duration
    priority: int
    attempts: int
    backoff: Backoff | Duration | None
    lifo: bool
    timeout: Duration | None
    remove_on_complete: KeepOption | None
    remove_on_fail: KeepOption | None


KNOWN_OPTIONS = tuple(AddOptions.__annotations__)


class JobOptions(msgspec.Struct, frozen=True):
    """Checked options of one job, all times in milliseconds.

    Attributes:
        job_id: custom id, or None for the queue's counter.
        delay_ms: wait before it may run. Defaults to 0.
        priority: 0 (none) to 2,097,151. Defaults to 0.
        attempts: tries in all; 0 and 1 both mean one. Defaults to 1.
        backoff: wait between attempts. Defaults to none.
        lifo: at the front of what waits. Defaults to False.
        timeout_ms: limit of one run. Defaults to none.
        remove_on_complete, remove_on_fail: retention; None leaves it to the worker.
    """

    job_id: str | None = None
    delay_ms: int = 0
    priority: int = 0
    attempts: int = 1
    backoff: Backoff | None = None
    lifo: bool = False
    timeout_ms: int | None = None
    remove_on_complete: KeepOption | None = None
    remove_on_fail: KeepOption | None = None

    def merged(self, **options: Unpack[AddOptions]) -> JobOptions:
        """Return these options with the given ones checked and laid over them.

        Raises:
            InvalidOption: one is not known or out of its range.
        """
        if not options:
            return self
        changes: dict[str, Any] = {}
        for name, value in options.items():
            if name not in _CHECKS:
                raise InvalidOption(f"unknown option {name!r}{suggestion(name, KNOWN_OPTIONS)}")
            field, check = _CHECKS[name]
            changes[field] = check(name, value)
        return msgspec.structs.replace(self, **changes)


def checked_job_id(value: Any) -> str:
    """Return a custom id that every peer accepts.

    Raises:
        InvalidOption: it is empty or too long, looks like an integer, names one of the queue's keys, or has a
            colon.
    """
    if not is_text(value) or len(value) > LONGEST_ID:
        raise InvalidOption(
            f"job_id must be non-empty text of at most {LONGEST_ID} characters; got {shown(value)}"
        )
    if value.lstrip("-").isdigit():
        raise InvalidOption(
            f"job_id must not look like an integer, because the queue numbers its own jobs so; got {value!r}: "
            f"write for example 'order-{value}'"
        )
    if value in RESERVED_IDS:
        raise InvalidOption(f"job_id {value!r} names one of the queue's own keys; choose another")
    if ":" in value:
        raise InvalidOption(f"job_id must not contain ':', which separates the parts of a key; got {value!r}")
    return str(value)


def is_text(value: Any) -> bool:
    """Whether it is text that is not empty and can be sent: UTF-8 has no lone surrogates."""
    return isinstance(value, str) and bool(value) and (value.isascii() or _is_utf8(value))


def shown(value: Any) -> str:
    """Return a value as a message quotes it, cut when it is long."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _job_id(_name: str, value: Any) -> str:
    return checked_job_id(value)


def _duration(name: str, value: Any) -> int:
    return milliseconds(value, option=name)


def _timeout(name: str, value: Any) -> int | None:
    if value is None:
        return None
    limit = milliseconds(value, option=name)
    if limit == 0:
        raise InvalidOption(f"{name} must be longer than 0; got {value!r}: leave it out for no limit")
    return limit


def _whole(name: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidOption(f"{name} must be a whole number from {low} to {high:,}; got {value!r}")
    return int(value)


def _priority(name: str, value: Any) -> int:
    return _whole(name, value, 0, MAX_PRIORITY)


def _attempts(name: str, value: Any) -> int:
    return _whole(name, value, 1, 1_000_000)


def _backoff(_name: str, value: Any) -> Backoff | None:
    return None if value is None else Backoff.of(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidOption(f"{name} must be True or False; got {value!r}")
    return value


def _keep(name: str, value: Any) -> KeepOption | None:
    return None if value is None else checked_keep(value, option=name)


_CHECKS: dict[str, tuple[str, Any]] = {
    "job_id": ("job_id", _job_id),
    "delay": ("delay_ms", _duration),
    "priority": ("priority", _priority),
    "attempts": ("attempts", _attempts),
    "backoff": ("backoff", _backoff),
    "lifo": ("lifo", _flag),
    "timeout": ("timeout_ms", _timeout),
    "remove_on_complete": ("remove_on_complete", _keep),
    "remove_on_fail": ("remove_on_fail", _keep),
}
