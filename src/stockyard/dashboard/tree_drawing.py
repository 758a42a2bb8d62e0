"""Draws a flow as a graph: parents left of their children. Pure: a tree in, SVG out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from markupsafe import Markup

from stockyard.dashboard.formats import shortened
from stockyard.model.flow import FlowTree
from stockyard.model.job import Job

_WIDTH, _HEIGHT = 200, 52
_ACROSS, _DOWN = 248, 64
_MARGIN = 8
_LETTERS = 24


def draw_flow(
    tree: FlowTree, states: Mapping[tuple[str, str], str], address: Callable[[str, str], str], *, current: str = ""
) -> Markup:
    """Return a graph whose nodes lead to their jobs.

    Args:
        tree: the flow.
        states: by queue and id of a job.
        address: of a job's page, by its queue and id.
        current: id of the job to point out. Defaults to none.
    """
    places: dict[int, tuple[int, float]] = {}
    rows = _place(tree, 0, 0, places)
    depth = max(level for level, _ in places.values())
    width = _MARGIN * 2 + depth * _ACROSS + _WIDTH
    height = _MARGIN * 2 + (rows - 1) * _DOWN + _HEIGHT
    edges, nodes = Markup(""), Markup("")
    open_trees = [tree]
    while open_trees:
        node = open_trees.pop()
        x, y = _corner(places[id(node)])
        for child in node.children:
            to_x, to_y = _corner(places[id(child)])
            middle = (x + _WIDTH + to_x) / 2
            edges += Markup('<path d="M{0} {1} C{2} {1} {2} {3} {4} {3}"/>').format(
                x + _WIDTH, y + _HEIGHT / 2, middle, to_y + _HEIGHT / 2, to_x
            )
        state = states.get((node.job.queue, node.job.id), "unknown")
        nodes += _node(
            node.job, state, address(node.job.queue, node.job.id), x, y, is_current=node.job.id == current
        )
        open_trees.extend(reversed(node.children))
    return Markup(
        '<svg class="flow" viewBox="0 0 {} {}" width="{}" height="{}" role="group" aria-label="Flow of {} jobs">'
        '<g class="edges">{}</g>{}</svg>'
    ).format(width, height, width, height, len(places), edges, nodes)


def _place(tree: FlowTree, level: int, row: int, places: dict[int, tuple[int, float]]) -> int:
    """Give each job of a tree a level and a row; return the first row below. A tree has ten levels at most."""
    if not tree.children:
        places[id(tree)] = level, row
        return row + 1
    below = row
    for child in tree.children:
        below = _place(child, level + 1, below, places)
    places[id(tree)] = level, (places[id(tree.children[0])][1] + places[id(tree.children[-1])][1]) / 2
    return below


def _corner(place: tuple[int, float]) -> tuple[float, float]:
    level, row = place
    return _MARGIN + level * _ACROSS, _MARGIN + row * _DOWN


def _node(job: Job[object], state: str, address: str, x: float, y: float, *, is_current: bool) -> Markup:
    return Markup(
        '<a href="{}" class="node state-{}{}"><title>{} {}: {}, in {}</title>'
        '<rect x="{}" y="{}" width="{}" height="{}" rx="6"/>'
        '<text class="node-name" x="{}" y="{}">{}</text><text class="node-state" x="{}" y="{}">{}</text></a>'
    ).format(
        address,
        state,
        " current" if is_current else "",
        job.name,
        job.id,
        state,
        job.queue,
        x,
        y,
        _WIDTH,
        _HEIGHT,
        x + 12,
        y + 21,
        shortened(job.name, _LETTERS),
        x + 12,
        y + 40,
        shortened(f"{state} · {job.queue}", _LETTERS + 4),
    )
