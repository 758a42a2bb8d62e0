"""Turns the facts of a page into HTML."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from stockyard.dashboard.actions import ACTIONS
from stockyard.dashboard.bulk import VERBS
from stockyard.dashboard.fingerprints import fingerprint
from stockyard.dashboard.formats import FILTERS
from stockyard.dashboard.tree_drawing import draw_flow
from stockyard.dashboard.views.view import View

_FOLDER = Path(__file__).parent
_SPLIT = "<!--fragment-->"
"""Between the parts of a page that change by themselves."""


class Asset(NamedTuple):
    """A file that browsers load."""

    content: bytes
    kind: str
    version: str


def _asset(name: str, kind: str) -> Asset:
    content = (_FOLDER / "static" / name).read_bytes()
    return Asset(content, kind, hashlib.sha256(content).hexdigest()[:12])


ASSETS: dict[str, Asset] = {
    name: _asset(name, kind)
    for name, kind in (
        ("app.js", "text/javascript; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    )
}
"""By file name."""


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    environment.globals.update(
        labels={name: label for name, (label, *_) in VERBS.items()}, fingerprint=fingerprint
    )
    return environment


_templates = _environment()


class Place(NamedTuple):
    """What addresses and buttons depend on.

    Attributes:
        base: path of the dashboard, without a slash at its end.
        can_act: whether there are buttons.
    """

    base: str
    can_act: bool

    def url(self, view: str, **params: object) -> str:
        """Return the address of a page."""
        path = f"{self.base}/" if view == "overview" else f"{self.base}/{view}"
        given = {name: value for name, value in params.items() if value not in (None, "")}
        return f"{path}?{urlencode(given)}" if given else path

    def asset(self, name: str) -> str:
        """Return the address of a file that browsers load."""
        return f"{self.base}/static/{name}?v={ASSETS[name].version}"

    def act(self, name: str, label: str = "", **fields: object) -> Markup:
        """Return the button of an action; nothing for people who only look."""
        if not self.can_act:
            return Markup("")
        action = ACTIONS[name]
        texts = {field: str(value) for field, value in fields.items() if value not in (None, "")}
        shown = label or action.label
        subject = texts.get("id") or texts.get("schedule") or texts.get("effect") or texts.get("queue") or ""
        is_red = action.is_dangerous and texts.get("verb", "remove") == "remove"
        kind = "button danger" if is_red else "button"
        return Markup(
            '<button type="submit" form="act" formaction="{}" class="{}" data-confirm="{}" aria-label="{}">{}'
            "</button>"
        ).format(self.url(f"do/{name}", **texts), kind, action.asked(texts), f"{shown} {subject}".strip(), shown)

    @property
    def names(self) -> Mapping[str, Any]:
        """What templates call."""
        return {
            "url": self.url,
            "asset": self.asset,
            "act": self.act,
            "can_act": self.can_act,
            "draw_flow": partial(_flow, self),
        }


def _flow(place: Place, tree: Any, states: Any, current: str) -> Markup:
    return draw_flow(tree, states, lambda queue, job: place.url("job", queue=queue, id=job), current=current)


def draw(template: str, place: Place, **facts: Any) -> str:
    """Return a page as HTML."""
    return _templates.get_template(template).render(**place.names, **facts)


def draw_fragments(view: View, place: Place, facts: Mapping[str, Any]) -> Sequence[str]:
    """Return the parts of a page that change by themselves."""
    text = _templates.get_template(f"{view.name}_live.html").render(**place.names, **facts)
    return [part.strip() for part in text.split(_SPLIT)]
