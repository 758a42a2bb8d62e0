"""Makes the navigation of the site from its folders."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from tools.site.pages import title

SECTIONS = {
    "Start": "",
    "Tutorial": "tutorial/",
    "How-to guides": "howto/",
    "Reference": "reference/",
    "API": "reference/api/",
    "Explanation": "explanation/",
    "Operations": "operations/",
    "Incidents": "incidents/",
    "Migration": "migration/",
    "Decisions": "adr/",
    "Project": "project/",
    "Files": "project/files/",
}
"""The sections in their order; a page belongs to the deepest folder that holds it."""
FIRST = ("quickstart.md", "reference/options.md", "explanation/delivery.md")
"""Pages that come before the others of their section, but for its index. The others come in the order in which the
index links them, then by title, or by path where they are numbered."""
_NUMBERED = ("Decisions", "Files", "API")
_NESTED = {"API": "Reference", "Incidents": "Operations", "Decisions": "Explanation", "Files": "Project"}


def sections(pages: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the pages of each section in reading order; sections without a page are left out."""
    found: dict[str, list[str]] = {name: [] for name in SECTIONS}
    for path in pages:
        found[_section(path)].append(path)

    def place(path: str) -> tuple[int, int, str]:
        first = -1 if path.endswith("index.md") else FIRST.index(path) if path in FIRST else len(FIRST)
        by_path = _section(path) in _NUMBERED
        return first, _listed(path, pages), path if by_path else title(pages[path], path).casefold()

    return {name: sorted(paths, key=place) for name, paths in found.items() if paths}


def navigation(pages: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the entries of Zensical's ``nav``, sections within sections."""
    entries: dict[str, list[dict[str, Any]]] = {
        name: [{title(pages[path], path): path} for path in paths] for name, paths in sections(pages).items()
    }
    for inner, outer in _NESTED.items():
        if inner in entries:
            entries[outer].append({inner: entries.pop(inner)})
    return [*entries.pop("Start", []), *({name: inside} for name, inside in entries.items())]


def _section(path: str) -> str:
    folders = [(len(folder), name) for name, folder in SECTIONS.items() if path.startswith(folder)]
    return max(folders)[1]


def _listed(path: str, pages: Mapping[str, str]) -> int:
    """Return where the index of a page's folder links it; pages that it does not link come last."""
    folder, _, name = path.rpartition("/")
    place = pages.get(f"{folder}/index.md", "").find(f"]({name})")
    return place if place >= 0 else sys.maxsize
