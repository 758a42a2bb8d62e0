"""Makes foreign text fit for a terminal, a log or a message: nothing in it acts, and it stays in its line."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Literal

_SPACES = "Zs"
LATEST = 253_402_300_799_999
"""The last millisecond of the year 9999."""


def printable(text: str) -> str:
    """Return one line without anything that a terminal would act on.

    Control characters, line ends, tabs and marks that reorder or hide text become escapes: ``\\x1b``, ``\\n``,
    ``\\u202e``.
    """
    if text.isprintable():
        return text
    return "".join(each if _is_harmless(each) else _escaped(each) for each in text)


def printable_lines(text: str) -> str:
    """Return the same with its tabs and line ends, each line but the first indented: for tracebacks and errors.

    So no line of foreign text looks like one of the program's own, which begin at the margin.
    """
    if text.isprintable():
        return text
    first, *more = ("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))
    return "\n".join([first, *(line if not line or line[0].isspace() else f"  {line}" for line in more)])


def printable_json(text: str) -> str:
    """Return the same JSON document, what a terminal would act on written as ``\\u009b`` in its strings."""
    lines = text.split("\n")
    return "\n".join(line if line.isprintable() else _escaped_json(line) for line in lines)


def readable_time(
    milliseconds: float, *, timespec: Literal["seconds", "milliseconds"] = "seconds", zone: str = "+00:00"
) -> str:
    """Return a time in UTC, as in ``2026-11-26 12:30:05+00:00``; a number that is no time is shown as it is.

    Args:
        milliseconds: since the epoch.
        timespec: as for ``datetime.isoformat``. Defaults to ``"seconds"``.
        zone: what stands behind it. Defaults to ``+00:00``.
    """
    if not 0 <= milliseconds <= LATEST:
        return f"no time ({milliseconds!r:.40})"
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(sep=" ", timespec=timespec).removesuffix("+00:00") + zone


def _is_harmless(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == _SPACES


def _escaped_json(line: str) -> str:
    return "".join(each if _is_harmless(each) else _json_escape(each) for each in line)


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", errors="surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", errors="backslashreplace").decode("ascii")
