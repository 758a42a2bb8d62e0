"""Cron patterns: what they say, and when they come next in a time zone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from copy import copy
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from stockyard.errors import InvalidOption

_MONTHS = {name: at for at, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_DAYS = {name: at for at, name in enumerate("sun mon tue wed thu fri sat".split())}
_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@hourly": "0 * * * *",
    "@minutely": "* * * * *",
    "@secondly": "* * * * * *",
    "@weekdays": "0 0 * * 1-5",
    "@weekends": "0 0 * * 0,6",
}
_ITEM = re.compile(r"(\*|[0-9]{1,2}(?:-[0-9]{1,2})?)(?:/([0-9]{1,2}))?")
_LAST_WEEKDAY = re.compile(r"([0-7])L")
_NTH_WEEKDAY = re.compile(r"([0-7])#([1-5])")
_LOCAL_ZONE = Path("/etc/localtime")
_LONGEST_LOOK_BACK = timedelta(hours=3)
"""Past this, what a clock set forward has skipped is over: clocks are set by less."""


class _Field(NamedTuple):
    title: str
    low: int
    high: int
    names: dict[str, int]


_FIELDS = (
    _Field("second", 0, 59, {}),
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _DAYS),
)


class CronPattern:
    """A checked pattern.

    A pattern that names hours means times of the local clock: one that the clock skips when it is set forward
    comes as much later, one that it shows twice when it is set back comes the first time only. A pattern whose
    hour is ``*`` goes on through both. When day of month and day of week are both given, either will do.

    Args:
        text: minute, hour, day of month, month, day of week, with an optional field for seconds in front; ``*``,
            ranges, lists, steps, names (``MON``, ``JAN``), ``L`` for the last day, ``5L`` for the last Friday,
            ``1#2`` for the second Monday; 7 is Sunday, as 0 is; or ``@daily`` and the other names.

    Raises:
        InvalidOption: it cannot be read, or never comes.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        fields = _NAMED.get(text, text).split()
        if len(fields) == 5:
            fields.insert(0, "0")
        if len(fields) != 6:
            raise InvalidOption(
                "a cron pattern has 5 fields (minute hour day month weekday), or 6 with seconds in front "
                f"(second minute hour day month weekday), and none for years; got {len(fields)} fields: {text!r}"
            )
        read = [_read(text, field, given) for field, given in zip(_FIELDS, fields, strict=True)]
        self._is_every_hour = read[2] == "*"
        try:
            self._search = CronSim(" ".join(read), datetime(2000, 1, 1))
        except CronSimError as error:
            raise InvalidOption(f"{_named(text)} never comes: no such day in its months") from error

    def next(self, after: int, zone: tzinfo) -> int | None:
        """Return when it comes next, in ms since the epoch, strictly after that time; None if not in 50 years."""
        base = after // 1000
        here = datetime.fromtimestamp(base, zone)
        if self._is_every_hour:
            found = next(self._from(here), None)
            return None if found is None else int(found.timestamp()) * 1000
        return self._at_its_hours(base, here, zone)

    def _at_its_hours(self, base: int, here: datetime, zone: tzinfo) -> int | None:
        earlier = (here.astimezone(UTC) - _LONGEST_LOOK_BACK).astimezone(zone)
        skipped = (here.utcoffset() or timedelta()) - (earlier.utcoffset() or timedelta())
        best: int | None = None
        for read in self._from(here.replace(tzinfo=None) - max(skipped, timedelta())):
            if best is not None and read >= datetime.fromtimestamp(best, zone).replace(tzinfo=None):
                break
            moment = int(read.replace(tzinfo=zone).timestamp())
            if moment > base and (best is None or moment < best):
                best = moment
                if datetime.fromtimestamp(moment, zone).replace(tzinfo=None) == read:
                    break
        return None if best is None else best * 1000

    def _from(self, start: datetime) -> Iterator[datetime]:
        search = copy(self._search)
        search.dt = start
        return search


@lru_cache(maxsize=1000)
def cron_pattern(text: str) -> CronPattern:
    """Return the pattern of this text, read once.

    Raises:
        InvalidOption: as ``CronPattern``.
    """
    return CronPattern(text)


@lru_cache(maxsize=100)
def zone_of(name: str | None) -> tzinfo:
    """Return a time zone by its IANA name; without one that of this machine, as Node does.

    Raises:
        InvalidOption: there is no such zone.
    """
    if name == "UTC":
        return UTC
    if name is None:
        return _local_zone()
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, TypeError, OSError):
        raise InvalidOption(f"tz must be an IANA time zone such as 'Europe/Berlin'; got {name!r}") from None


def _local_zone() -> tzinfo:
    try:
        if name := os.environ.get("TZ", "").lstrip(":"):
            return ZoneInfo(name)
        with _LOCAL_ZONE.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (KeyError, ValueError, OSError):
        return UTC


def _read(pattern: str, field: _Field, given: str) -> str:
    """Return a field as the search reads it: numbers one by one, so that only ``*`` begins with a star."""
    text = re.sub(r"[a-z]{3}", lambda name: str(field.names.get(name[0].lower(), name[0])), given, flags=re.I)
    text = text.replace("?", "*")
    is_weekday = field.high == 7
    if text == "*" or (is_weekday and _NTH_WEEKDAY.fullmatch(text)):
        return text
    found: list[str] = []
    for item, original in zip(text.split(","), given.split(","), strict=True):
        if (is_weekday and _LAST_WEEKDAY.fullmatch(item)) or (field.title == "day of month" and item == "L"):
            found.append(item)
        else:
            found += map(str, _numbers(pattern, field, item, original))
    if len(set(found)) < len(found):
        raise InvalidOption(f"{_named(pattern)} names a {field.title} twice in {given!r}; BullMQ refuses that")
    is_whole = len(found) == field.high - field.low + 1 and "day" not in field.title
    return "*" if is_whole else ",".join(found)


def _numbers(pattern: str, field: _Field, item: str, original: str) -> list[int]:
    match = _ITEM.fullmatch(item)
    if match is None:
        raise InvalidOption(f"{_named(pattern)} has no {field.title} in {original!r}{_hint(field, original)}")
    span, step = match[1], match[2]
    if span == "*":
        first, last = field.low, field.high
    else:
        low, _, high = span.partition("-")
        first = int(low)
        last = int(high) if high else field.high if step else first
    if not field.low <= first <= last <= field.high or (step is not None and int(step) == 0):
        raise InvalidOption(
            f"{_named(pattern)}: a {field.title} goes from {field.low} to {field.high}, upwards and by "
            f"steps of 1 or more; got {original!r}"
        )
    numbers = list(range(first, last + 1, int(step or 1)))
    if field.high == 7 and 7 in numbers:
        # Sunday is 0; that 7 means it too is no second Sunday.
        numbers = sorted({number % 7 for number in numbers})
    return numbers


def _named(pattern: str) -> str:
    """Return how a message names a pattern; one of 6 fields may be meant to end with a year."""
    fields = " (6 fields: second minute hour day month weekday)" if len(pattern.split()) == 6 else ""
    return f"cron pattern {pattern!r}{fields}"


def _hint(field: _Field, item: str) -> str:
    """Say how a name is written: by its first three letters, and in its own field."""
    words = re.findall(r"[a-z]{2,}", item, flags=re.I)
    for word in words:
        short = word[:3].lower()
        if len(word) > 3 and short in field.names:
            return f": write {short.upper()} for {word}, as names have three letters"
        for other in _FIELDS:
            if other is not field and short in other.names:
                return f": {word} is a {other.title}"
    if words and field.names:
        return f": the names are {' '.join(field.names).upper()}"
    return f": a number from {field.low} to {field.high}, a range 1-5, a list 1,3, a step */5, or *"
