"""How pages write numbers, ages, times and values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from markupsafe import Markup, escape

from stockyard.model.printable import LATEST

_LONGEST_VALUE = 100_000
_SHORTEST_SHOWN = 0.0005
NONE = "\N{EN DASH}"
"""Stands where there is nothing to show."""


def count(number: float) -> str:
    """Return a number with its thousands apart: ``1,234``."""
    return f"{number:,.0f}"


def rate(number: float) -> str:
    """Return a number per second as people read it: ``1,234``, ``12.3``, ``0.05``."""
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 1 or not number else f"{number:.2f}"


def age(seconds: float | None) -> str:
    """Return a duration at a glance: ``40 ms``, ``12 s``, ``7 min``, ``3 h``, ``2 d``."""
    if seconds is None or seconds < _SHORTEST_SHOWN:
        return NONE
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for size, unit, most in ((1, "s", 120), (60, "min", 7200), (3600, "h", 172_800)):
        if seconds < most:
            return f"{seconds / size:.1f} {unit}" if seconds < 10 * size else f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def size(number: float | None) -> str:
    """Return bytes as people read them: ``1.5 MiB``."""
    if number is None:
        return NONE
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def percent(share: float) -> str:
    """Return a share of 1 in percent."""
    return f"{share * 100:.0f} %"


def when(milliseconds: int | None, *, with_milliseconds: bool = False) -> Markup:
    """Return an element that says a time in UTC; the page's script says it in the viewer's zone."""
    if milliseconds is None or not 0 <= milliseconds <= LATEST:
        return escape(NONE)
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    precision = "milliseconds" if with_milliseconds else "seconds"
    text = moment.replace(tzinfo=None).isoformat(" ", precision)
    exact = moment.replace(tzinfo=None).isoformat(timespec="milliseconds")
    kind = "exact" if with_milliseconds else "seconds"
    return Markup('<time datetime="{}Z" data-time="{}">{} UTC</time>').format(exact, kind, text)


def pretty(value: Any) -> str:
    """Return a value as JSON over several lines; a very long one is cut."""
    try:
        text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    except (TypeError, ValueError, RecursionError):
        text = repr(value)
    return shortened(text, _LONGEST_VALUE)


def brief(value: Any, longest: int = 120) -> str:
    """Return a value as JSON on one line, cut where it is longer."""
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        text = repr(value)
    return shortened(text, longest)


def shortened(text: str, longest: int = 120) -> str:
    """Return a text, cut where it is longer."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def lines(text: str) -> Markup:
    """Return a text whose lines stay apart."""
    return Markup("<br>").join(escape(line) for line in text.splitlines())


FILTERS = {
    "count": count,
    "rate": rate,
    "age": age,
    "size": size,
    "percent": percent,
    "when": when,
    "pretty": pretty,
    "brief": brief,
    "shortened": shortened,
    "lines": lines,
}
"""By the names that templates use."""
