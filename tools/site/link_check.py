"""Checks the links of the built site: pages, files and anchors, all without a network."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit


class _Read(HTMLParser):
    """Collects what a page links and loads, and the anchors that it has."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attrs if value is not None}
        self.anchors.update(found[name] for name in ("id", "name") if name in found)
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag == "link" and found.get("rel") not in ("canonical", "alternate"):
            self.loads.append(found.get("href", ""))
        elif tag in ("script", "img", "iframe", "source"):
            self.loads.append(found.get("src", ""))


class Page(NamedTuple):
    """What one page of the site holds.

    Attributes:
        links: where its ``a`` elements lead.
        loads: the style sheets, scripts and images that a browser fetches for it.
        anchors: the names that a link to the page may end in.
    """

    links: list[str]
    loads: list[str]
    anchors: set[str]


def read_page(text: str) -> Page:
    """Read a page's HTML."""
    parser = _Read()
    parser.feed(text)
    return Page(parser.links, parser.loads, parser.anchors)


def broken_links(site: Path) -> list[str]:
    """Return a line for each link that leads nowhere, and for each thing that a page loads from elsewhere."""
    pages = {path: read_page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    return sorted(set(_problems(site, pages.items(), pages)))


def _problems(site: Path, checked: Iterable[tuple[Path, Page]], pages: dict[Path, Page]) -> Iterator[str]:
    for path, page in checked:
        where = path.relative_to(site)
        # The page of an unknown address does not know where it is shown; its links begin at the site's root.
        is_anywhere = where.name == "404.html"
        for load in filter(None, page.loads):
            if urlsplit(load).netloc:
                yield f"{where}: loads {load} from another host"
            elif not is_anywhere and not load.startswith("data:") and _resolved(path, load) is None:
                yield f"{where}: loads {load}, which does not exist"
        for link in () if is_anywhere else page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = _resolved(path, link)
            if target is None:
                yield f"{where}: {link} does not exist"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{where}: {link} has no such anchor"


def _resolved(path: Path, link: str) -> Path | None:
    part = unquote(urlsplit(link).path)
    target = Path(os.path.normpath(path.parent / part)) if part else path
    if target.is_dir():
        target /= "index.html"
    return target if target.is_file() else None
