"""Gathers the pages of the site: those of docs/, the project's own, generated ones, and linked files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

PROJECT = {
    "ARCHITECTURE.md": "project/architecture.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "CHANGELOG.md": "project/changelog.md",
    "README.md": "project/readme.md",
    "benchmarks/README.md": "project/benchmarks.md",
}
"""Documents outside of docs/ that are pages of the site."""

LISTS = {"adr": "Decisions", "incidents": "Incidents"}
"""Folders of docs/ that need a page that lists their pages, with its title."""
LANGUAGES = {
    ".py": "python",
    ".mjs": "javascript",
    ".yml": "yaml",
    ".yaml": "yaml",
    ".json": "json",
    ".toml": "toml",
}
_LINK = re.compile(r"(?<=\]\()([^)#:\s]+)(#[^)\s]*)?(?=\))")
_GENERATED = re.compile(r"^<!-- generated: ([a-z-]+) -->$", re.M)
_FENCE = re.compile(r"^(```+).*?^\1\s*$", re.M | re.S)
_COMMENT = re.compile(r"^<!-- (?!generated).*? -->\n", re.M)


def gather(generated: Mapping[str, Callable[[], str]]) -> dict[str, str]:
    """Return the Markdown of every page by its path within the site.

    Args:
        generated: the parts that a page may ask for by ``<!-- generated: name -->``.

    Raises:
        KeyError: a page asks for a part that nothing generates.
    """
    sources = {str(path.relative_to(ROOT)): str(path.relative_to(DOCS)) for path in sorted(DOCS.rglob("*.md"))}
    sources |= PROJECT
    pages: dict[str, str] = {}
    linked: set[str] = set()
    for source, page in sources.items():
        text = _COMMENT.sub("", (ROOT / source).read_text())
        text = _outside_fences(text, partial(_relinked, source=source, page=page, sources=sources, linked=linked))
        pages[page] = _GENERATED.sub(lambda match: generated[match[1]](), text)
    for folder, heading in LISTS.items():
        listed = [path for path in pages if path.startswith(f"{folder}/")]
        lines = [f"- [{title(pages[path], path)}]({path.removeprefix(f'{folder}/')})\n" for path in listed]
        pages[f"{folder}/index.md"] = f"# {heading}\n\nThis section has these pages:\n\n{''.join(lines)}"
    for path in sorted(linked):
        pages[_file_page(path)] = _file_text(path)
    return pages


def _outside_fences(text: str, change: Callable[[str], str]) -> str:
    """Change a text everywhere but in its blocks of code."""
    parts: list[str] = []
    end = 0
    for fence in _FENCE.finditer(text):
        parts += [change(text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, change(text[end:])])


def _relinked(text: str, source: str, page: str, sources: Mapping[str, str], linked: set[str]) -> str:
    """Point the links of a page at pages; a file of the repository that is none becomes one."""

    def target(match: re.Match[str]) -> str:
        path = os.path.normpath(os.path.join(os.path.dirname(source), match[1]))
        if path == "docs":
            path = "docs/index.md"
        if path not in sources and not path.startswith("docs/") and (ROOT / path).exists():
            linked.add(path)
            to = _file_page(path)
        else:
            folder = path if path in sources else f"{path}/index.md"
            to = sources.get(folder, os.path.relpath(path, "docs"))
        return os.path.relpath(to, os.path.dirname(page) or ".") + (match[2] or "")

    return _LINK.sub(target, text)


def _file_page(path: str) -> str:
    return f"project/files/{path}.md"


def _file_text(path: str) -> str:
    """Return a page that shows a file of the repository, or lists a folder."""
    file = ROOT / path
    if file.is_dir():
        names = sorted(each.name for each in file.iterdir() if not each.name.startswith((".", "_")))
        return f"# {path}/\n\nThe repository's folder `{path}` holds:\n\n" + "".join(
            f"- `{name}`\n" for name in names
        )
    text = file.read_text()
    fence = "`" * (max((len(run) for run in re.findall(r"`+", text)), default=2) + 1)
    fence = max(fence, "```", key=len)
    language = LANGUAGES.get(file.suffix, "text")
    block = f"{fence}{language}\n{text.rstrip()}\n{fence}\n"
    return f"# {path}\n\nThis is the file `{path}` of the repository.\n\n{block}"


def title(text: str, path: str) -> str:
    """Return a page's first heading."""
    found = re.search(r"^# (.+)$", _FENCE.sub("", text), re.M)
    return re.sub(r"[`*]", "", found[1]).strip() if found else Path(path).stem
