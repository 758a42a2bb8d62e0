"""Prints answers: tables for people, JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stockyard.model.printable import printable, printable_json, printable_lines, readable_time

_WIDE = 240
"""Columns of a table that goes to a file or a pipe, where nothing is to be cut."""


_heading = ""


def about(text: str) -> None:
    """Name the App that the answer is about: one line above the first table or list; an empty text names none."""
    global _heading
    _heading = text


def show_heading() -> None:
    """Print the line that names the App, if it was not printed before."""
    global _heading
    if _heading:
        print(printable(_heading))
    _heading = ""


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[str] = ()) -> None:
    """Print a table; the columns named in ``right`` are numbers."""
    show_heading()
    console().print(make_table(columns, rows, right=right))


def make_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[str] = ()) -> Table:
    """Return a table; the columns named in ``right`` are numbers."""
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    aligned = set(right)
    for column in columns:
        table.add_column(column, justify="right" if column in aligned else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(_plain(cell)) for cell in row))
    return table


def show_facts(facts: Mapping[str, object]) -> None:
    """Print names and values, one a line; what is None is left out."""
    show_heading()
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        if value is not None:
            print(f"{name:<{width}}  {_plain(value)}")


def show_json(value: Any, *, on_one_line: bool = False) -> None:
    """Print one JSON document, on one line for a reader behind a pipe, which sees it at once."""
    text = msgspec.json.encode(value)
    shown = text if on_one_line else msgspec.json.format(text, indent=2)
    print(printable_json(shown.decode()), flush=on_one_line)


def say(text: object) -> None:
    """Print one line of what may be foreign text; nothing in it acts on the terminal."""
    print(printable(str(text)), flush=True)


def complain(text: object) -> None:
    """Print to standard error, one line or several; nothing in it acts on the terminal."""
    print(printable_lines(str(text)), file=sys.stderr)


def when(milliseconds: int | None) -> str | None:
    """Return a time as people read it, in UTC."""
    if milliseconds is None:
        return None
    return readable_time(milliseconds, timespec="milliseconds", zone="Z")


def span(milliseconds: int) -> str:
    """Return a duration in the largest unit that divides it: ``1h``, ``90s``, ``250ms``."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def seconds(value: float) -> str:
    """Return an age at a glance: ``0.4s``, ``12s``, ``7m``."""
    if value < 10:
        return f"{value:.1f}s" if value else "-"
    return f"{value:.0f}s" if value < 600 else f"{value / 60:.0f}m"


def _plain(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case str():
            return printable(value)
        case int() | float():
            return f"{value:,}"
        case _:
            return printable(msgspec.json.encode(value).decode())


def console() -> Console:
    """Return the standard output; as wide as the terminal, if it is one."""
    return Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)
