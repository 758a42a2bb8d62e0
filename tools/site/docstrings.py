"""Turns the project's docstrings into Markdown."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator

SECTIONS = ("Args", "Attributes", "Keys", "Options", "Raises", "Returns", "Yields", "Example", "Examples")
_ITEM = re.compile(r"^(\*{0,2}[\w.`]+(?:, \*{0,2}[\w.`]+)*): +(.*)$")


def markdown(docstring: str | None) -> str:
    """Return a docstring as Markdown: its sections in bold, their entries as lists."""
    parts: list[str] = []
    for name, lines in _sections(inspect.cleandoc(docstring or "")):
        if not name:
            parts.append(_blocks(lines))
        elif name.startswith("Example"):
            parts.append(f"**Example**\n\n{_blocks(lines, is_code=True)}")
        elif entries := list(_entries(lines)):
            listed = "\n".join(f"- `{key}`: {text}" if key else f"- {text}" for key, text in entries)
            parts.append(f"**{name}**\n\n{listed}")
    return _code("\n\n".join(part for part in parts if part))


def first_line(docstring: str | None) -> str:
    """Return the sentence with which a docstring begins, without its line breaks."""
    first, _, _ = inspect.cleandoc(docstring or "").partition("\n\n")
    return _code(" ".join(first.split()))


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    name, lines = "", list[str]()
    for line in text.splitlines():
        begins = line.endswith(":") and line[:-1] in SECTIONS
        if begins or (name and line[:1].strip()):
            # A paragraph below a section, at the margin, belongs to the text again.
            yield name, lines
            name, lines = (line[:-1], []) if begins else ("", [line])
        else:
            lines.append(line)
    yield name, lines


def _entries(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Return what a section names, each with its meaning; a paragraph without a name stands alone."""
    key, words = "", list[str]()
    for line in textwrap.dedent("\n".join(lines)).splitlines():
        item = _ITEM.match(line)
        if item or not line.strip():
            if words:
                yield key, " ".join(words)
            key, words = ("", []) if item is None else (item[1].replace("`", ""), [item[2]])
        else:
            words.append(line.strip())
    if words:
        yield key, " ".join(words)


def _blocks(lines: list[str], *, is_code: bool = False) -> str:
    """Return paragraphs; what is indented or follows a prompt is code."""
    text = "\n".join(lines)
    if is_code:
        return f"```python\n{textwrap.dedent(text).strip()}\n```"
    parts: list[str] = []
    for block in re.split(r"\n{2,}", text.strip("\n")):
        if block.startswith(("    ", ">>>")):
            parts.append(f"```python\n{inspect.cleandoc(block)}\n```")
        elif block.strip():
            parts.append(re.sub(r"::$", ":", block))
    return "\n\n".join(parts)


def _code(text: str) -> str:
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    return re.sub(r"(?<!`)``(?!`)", "`", text)
