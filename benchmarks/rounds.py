"""Measures several sides in turn, A B A B, and says what was seen."""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Turn = Callable[[], Mapping[str, float]]
"""One measurement of one side: its figures by name."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One figure of one side over all rounds."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """What a ratio is made of."""
        return statistics.median(self.values)

    def __str__(self) -> str:
        low, middle, high = (short(value) for value in (min(self.values), self.median, max(self.values)))
        return f"{middle} ({low}..{high})"


def alternate(sides: Mapping[str, Turn], rounds: int) -> dict[str, dict[str, Figures]]:
    """Give every side its turn in every round; return figures by side and name."""
    seen: dict[str, dict[str, list[float]]] = {side: defaultdict(list) for side in sides}
    for number in range(1, rounds + 1):
        for side, turn in sides.items():
            figures = turn()
            for name, value in figures.items():
                seen[side][name].append(value)
            told = ", ".join(f"{name} {short(value)}" for name, value in figures.items())
            print(f"  round {number}  {side:<24} {told}", file=sys.stderr, flush=True)
    return {
        side: {name: Figures(tuple(values)) for name, values in figures.items()} for side, figures in seen.items()
    }


def short(value: float) -> str:
    """Three digits that matter, thousands apart."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
