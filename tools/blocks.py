"""Checks the Python blocks of the documentation with ruff and mypy; ``make check`` runs it.

A block is a program that a reader can paste into a file. So each is written to a file, named after its page and
the line where it begins, or by its title. The files of one page lie in one folder, where they import each other.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "blocks"
_BLOCK = re.compile(r'^<!-- (?:run|pytest) -->\n```python(?: title="([^"]+)")?\n(.*?)^```$', re.S | re.M)
# A program that is read on a page has no docstring, prints, and shows addresses and made-up passwords.
_IGNORED = ("ASYNC110", "D", "INP001", "PT", "S", "T20")


class Block(NamedTuple):
    """A program of a page.

    Attributes:
        file: where it is written, below the folder of its page.
        text: the program.
    """

    file: Path
    text: str


def blocks(page: Path) -> list[Block]:
    """Return the programs of a page."""
    text = page.read_text()
    folder = Path(str(page.relative_to(ROOT).with_suffix("")).replace("-", "_"))
    found: list[Block] = []
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start(2)) + 1
        found.append(Block(folder / (match[1] or f"line_{line}.py"), match[2]))
    return found


def not_a_program(block: Block) -> str:
    """Return what is wrong with a block that is no program, or an empty text."""
    try:
        compile(block.text, str(block.file), "exec")
    except SyntaxError as error:
        return f"{block.file}: {error.msg}, line {error.lineno}"
    return ""


def check() -> int:
    """Check every block; return the exit status."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found = [block for page in pages for block in blocks(page)]
    problems = list(filter(None, map(not_a_program, found)))
    print("\n".join(problems), end="\n" if problems else "")
    folders: dict[Path, list[str]] = {}
    for block in found:
        file = FOLDER / block.file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text)
        folders.setdefault(file.parent, []).append(file.name)
    ruff = [sys.executable, "-m", "ruff"]
    config = ["--config", str(ROOT / "pyproject.toml"), "--no-cache", "--no-respect-gitignore"]
    statuses = [
        subprocess.run(
            [*ruff, "check", *config, "--extend-ignore", ",".join(_IGNORED), FOLDER], check=False
        ).returncode,
        subprocess.run([*ruff, "format", "--check", "--quiet", *config, FOLDER], check=False).returncode,
        _typed(folders),
    ]
    print(f"{len(found)} blocks of {len(folders)} pages")
    return int(any(statuses) or bool(problems))


def _typed(folders: dict[Path, list[str]]) -> int:
    """Run mypy over all blocks at once, as files of different pages may have the same name; and over tests apart.

    A page's tests import its programs, which mypy finds only in the folder where it runs.
    """
    apart = [folder for folder, names in folders.items() if any(name.startswith("test_") for name in names)]
    together = [str(folder / name) for folder, names in folders.items() if folder not in apart for name in names]
    mypy = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml")]
    cache = ["--cache-dir", str(ROOT / ".mypy_cache")]
    statuses = [subprocess.run([*mypy, *together], cwd=ROOT, check=False).returncode]
    for folder in apart:
        done = subprocess.run([*mypy, *cache, *folders[folder]], cwd=folder, check=False)
        statuses.append(done.returncode)
    return int(any(statuses))


if __name__ == "__main__":
    sys.exit(check())
