"""What was measured, as a table for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.rounds import Figures, short


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        what: is measured.
        unit: of both figures.
        ours: our figures.
        peer: those compared with, None where only ours were measured.
        peer_name: whose they are.
        required: of the ratio of medians, ours over the peer's: ">= 2.0", "<= 0.8" or "0.98 .. 1.02"; None asks
            nothing.
    """

    what: str
    unit: str
    ours: Figures
    peer: Figures | None = None
    peer_name: str | None = None
    required: str | None = None

    @property
    def ratio(self) -> float | None:
        """Median over median."""
        return None if self.peer is None else self.ours.median / self.peer.median

    @property
    def passed(self) -> bool | None:
        """Whether the ratio, to a thousandth, is what is required; None where nothing is."""
        if self.ratio is None or self.required is None:
            return None
        first, *rest = self.required.split()
        ratio = round(self.ratio, 3)
        if first == ">=":
            return ratio >= float(rest[0])
        if first == "<=":
            return ratio <= float(rest[0])
        return float(first) <= ratio <= float(rest[-1])

    @property
    def verdict(self) -> str:
        """The same as a word."""
        return {True: "pass", False: "MISS", None: ""}[self.passed]

    def as_json(self) -> dict[str, Any]:
        """The row's object in the results file."""
        return {
            "what": self.what,
            "ours": self.ours.median,
            "peer": self.peer and self.peer.median,
            "peer_name": self.peer_name,
            "ratio": self.ratio,
            "required": self.required,
            "passed": self.passed,
            "unit": self.unit,
            "ours_rounds": self.ours.values,
            "peer_rounds": self.peer and self.peer.values,
        }


def best_of(
    what: str,
    unit: str,
    seen: Mapping[str, Mapping[str, Figures]],
    figure: str,
    required: str,
    *,
    less: bool = False,
) -> list[Row]:
    """Return our row against the best of the peers, and a row in brackets for each of the others.

    Args:
        what, unit, required: of the row.
        seen: figures by side and name; our side is `ours`, all others are peers.
        figure: the name of the one to compare.
        less: the lower figure is the better one. Defaults to the higher one.
    """
    ours = seen["ours"][figure]
    peers = {side: figures[figure] for side, figures in seen.items() if side != "ours"}
    if not peers:
        return [Row(what, unit, ours)]
    best, *others = sorted(peers, key=lambda side: peers[side].median, reverse=not less)
    name = f"{best}, best of {len(peers)}" if others else best
    rest = [Row(what, unit, ours, peers[side], f"({side})") for side in others]
    return [Row(what, unit, ours, peers[best], name, required), *rest]


def show(rows: Sequence[Row], title: str) -> None:
    """Print the table: medians, and in brackets the lowest and the highest round."""
    table = Table(title=title, box=box.SIMPLE, title_justify="left")
    for heading in ("what", "ours", "peer", "peer's name", "ratio", "required", ""):
        table.add_column(heading, justify="right" if heading in {"ours", "peer", "ratio"} else "left")
    for row in rows:
        style = "red" if row.passed is False else None
        table.add_row(
            f"{row.what} [{row.unit}]".replace("[", r"\["),
            str(row.ours),
            str(row.peer or ""),
            row.peer_name or "",
            "" if row.ratio is None else short(row.ratio),
            row.required or "",
            row.verdict,
            style=style,
        )
    console = Console()
    Console(width=max(console.width, 150)).print(table)


def write(rows: Sequence[Row], path: Path, circumstances: dict[str, Any]) -> None:
    """Write the results file: the run's circumstances and one object per row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {**circumstances, "rows": [row.as_json() for row in rows]}
    path.write_text(json.dumps(content, indent=2) + "\n")
