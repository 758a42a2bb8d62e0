"""Charts as SVG, drawn on the server. Pure: numbers in, markup out, no style of their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from stockyard.dashboard.formats import count

WIDTH, HEIGHT = 720, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 68, 8, 16, 28


class Series(NamedTuple):
    """The values of one line, the oldest first; None where there is none.

    Attributes:
        name: for people.
        values: all series of a chart have as many.
    """

    name: str
    values: Sequence[float | None]


def line_chart(
    label: str,
    series: Sequence[Series],
    *,
    ends: tuple[str, str],
    spelled: Callable[[float], str] = count,
) -> Markup:
    """Return lines over time.

    Args:
        label: what is drawn, for those who do not see it.
        series: the lines, at most six.
        ends: what stands under the first and the last value.
        spelled: says a value. Defaults to a whole number.
    """
    points = [value for each in series for value in each.values if value is not None]
    top = nice_top(max(points, default=0.0))
    lines = Markup("").join(
        Markup('<g class="line line-{}">{}</g>').format(place, _line(each.values, top))
        for place, each in enumerate(series)
    )
    latest = "; ".join(f"{each.name}: {_latest(each.values, spelled)}" for each in series)
    return _framed(label, latest, _grid(top, spelled) + lines + _ends(ends))


def stacked_bars(
    label: str, series: Sequence[Series], *, ends: tuple[str, str], names: Sequence[str], last: int = 60
) -> Markup:
    """Return bars of several counts on top of each other.

    Args:
        label: what is drawn, for those who do not see it.
        series: the parts of the bars, the lowest first.
        ends: what stands under the first and the last bar.
        names: of the bars.
        last: places for bars; fewer stand on the right.
    """
    sums = [sum(values) for values in zip(*([v or 0 for v in each.values] for each in series), strict=True)]
    top = nice_top(max(sums, default=0.0))
    step = (WIDTH - _LEFT - _RIGHT) / max(last, len(names), 1)
    parts = []
    for place, name in enumerate(names):
        x = WIDTH - _RIGHT - (len(names) - place) * step
        below, texts, rects = 0.0, [], Markup("")
        for number, each in enumerate(series):
            value = each.values[place] or 0
            texts.append(f"{count(value)} {each.name}")
            if value:
                y, height = _y(below + value, top), _y(below, top) - _y(below + value, top)
                rects += Markup('<rect class="bar bar-{}" x="{}" y="{}" width="{}" height="{}"/>').format(
                    number, _n(x + step * 0.1), _n(y), _n(step * 0.8), _n(height)
                )
            below += value
        parts.append(Markup("<g><title>{}: {}</title>{}</g>").format(name, ", ".join(texts), rects))
    total = ", ".join(f"{count(sum(v or 0 for v in each.values))} {each.name}" for each in series)
    return _framed(label, total, _grid(top, count) + Markup("").join(parts) + _ends(ends))


def sparkline(label: str, values: Sequence[float | None]) -> Markup:
    """Return one small line without axes."""
    width, height = 96, 24
    top = max((value for value in values if value is not None), default=0.0) or 1.0
    step = width / max(len(values) - 1, 1)
    points = " ".join(
        f"{_n(place * step)},{_n(height - 2 - (height - 4) * value / top)}"
        for place, value in enumerate(values)
        if value is not None
    )
    return Markup(
        '<svg class="sparkline" viewBox="0 0 {} {}" role="img" aria-label="{}"><polyline points="{}"/></svg>'
    ).format(width, height, label, points)


def nice_top(highest: float) -> float:
    """Return the upper end of an axis: 1, 2 or 5 times a power of ten that holds the highest value."""
    if highest <= 0 or not math.isfinite(highest):
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    return next(factor * power for factor in (1, 2, 5, 10) if highest <= factor * power * (1 + 1e-9))


def _line(values: Sequence[float | None], top: float) -> Markup:
    step = (WIDTH - _LEFT - _RIGHT) / max(len(values) - 1, 1)
    runs: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{_n(_LEFT + place * step)},{_n(_y(value, top))}")
    parts = Markup("")
    for run in filter(None, runs):
        # A single value would be an invisible line.
        points = run if len(run) > 1 else [run[0], run[0]]
        parts += Markup('<polyline points="{}"/>').format(" ".join(points))
    return parts


def _grid(top: float, spelled: Callable[[float], str]) -> Markup:
    parts = Markup("")
    for share in (0.0, 0.5, 1.0):
        y = _y(top * share, top)
        parts += Markup(
            '<line class="grid" x1="{}" y1="{}" x2="{}" y2="{}"/><text class="axis" x="{}" y="{}" '
            'text-anchor="end">{}</text>'
        ).format(_LEFT, _n(y), WIDTH - _RIGHT, _n(y), _LEFT - 6, _n(y + 4), spelled(top * share) if share else "0")
    return parts


def _ends(ends: tuple[str, str]) -> Markup:
    return Markup(
        '<text class="axis" x="{}" y="{}">{}</text><text class="axis" x="{}" y="{}" text-anchor="end">{}</text>'
    ).format(_LEFT, HEIGHT - 6, ends[0], WIDTH - _RIGHT, HEIGHT - 6, ends[1])


def _framed(label: str, detail: str, content: Markup) -> Markup:
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}. {}">{}</svg>').format(
        WIDTH, HEIGHT, label, detail, content
    )


def _latest(values: Sequence[float | None], spelled: Callable[[float], str]) -> str:
    known = [value for value in values if value is not None]
    return spelled(known[-1]) if known else "none"


def _y(value: float, top: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * min(value / top, 1.0)


def _n(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".")
