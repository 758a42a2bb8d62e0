"""Writes llms.txt, and the Markdown of every page beside its HTML, for readers that are programs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

_HEAD = """# Stockyard

> A job queue, cache and pub/sub library for Python on Redis or Valkey that speaks BullMQ's protocol.

Every page is Markdown at the address below; the same address with `.html` is the page for people.
"""


def llms_text(sections: Mapping[str, Sequence[str]], pages: Mapping[str, str], titles: Mapping[str, str]) -> str:
    """Return llms.txt: the pages of each section, each with its title and its first sentence."""
    parts = [_HEAD]
    for name, paths in sections.items():
        lines = [f"- [{titles[path]}]({path}): {first_sentence(pages[path])}" for path in paths]
        parts.append(f"## {name}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def first_sentence(text: str) -> str:
    """Return the first sentence below a page's title, as plain text."""
    for paragraph in text.split("\n\n"):
        plain = " ".join(paragraph.split())
        if plain and not plain.startswith(("#", "<!--", "```", "|", "---")):
            plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", plain)
            return re.split(r"(?<=[.!?:])\s", plain)[0]
    return ""


def write(
    site: Path, sections: Mapping[str, Sequence[str]], pages: Mapping[str, str], titles: Mapping[str, str]
) -> None:
    """Write llms.txt and every page's Markdown into the built site."""
    for path, text in pages.items():
        file = site / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (site / "llms.txt").write_text(llms_text(sections, pages, titles))
