"""Runs the Python blocks of a document as a reader would."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]

_RUN = re.compile(r'<!-- (?:run|pytest) -->\n```python(?: title="([^"]+)")?\n(.*?)```', re.S)
_FRAGMENT = re.compile(r"(<!-- before -->\n)?^```py\n(.*?)```", re.S | re.M)
_GUARD = 'if __name__ == "__main__":'


class DocumentedProgram(NamedTuple):
    """A file that a page shows in full.

    Attributes:
        name: of the file, ``shop.py``.
        text: what it holds.
    """

    name: str
    text: str


def blocks(document: Path) -> list[str]:
    """The blocks that are marked to be run, but those that are programs."""
    return [text for name, text in _RUN.findall(document.read_text()) if not _is_program(name, text)]


def programs(document: Path) -> list[DocumentedProgram]:
    """The blocks that are files: they have a title, or start something under ``if __name__ == "__main__":``."""
    found = [(name, text) for name, text in _RUN.findall(document.read_text()) if _is_program(name, text)]
    stem = document.stem.replace("-", "_")
    return [DocumentedProgram(name or f"{stem}_{number}.py", text) for number, (name, text) in enumerate(found, 1)]


def _is_program(name: str, text: str) -> bool:
    return bool(name) or _GUARD in text


def fragments(document: Path) -> list[str]:
    """The blocks that show a part of a program of the page again."""
    return [textwrap.dedent(text) for before, text in _FRAGMENT.findall(document.read_text()) if not before]


def foreign_code(document: Path) -> list[str]:
    """The blocks that show the code of another library, before a migration."""
    return [text for before, text in _FRAGMENT.findall(document.read_text()) if before]


def write_programs(document: Path, folder: Path) -> list[DocumentedProgram]:
    """Write the programs of a page into a folder, as a reader pastes them."""
    found = programs(document)
    for program in found:
        (folder / program.name).write_text(program.text)
    return found


def shell_blocks(document: Path) -> list[str]:
    """The blocks of shell commands that are marked to be run."""
    return re.findall(r"<!-- run -->\n```bash\n(.*?)```", document.read_text(), re.S)


def run_commands(block: str, folder: Path) -> None:
    """Run a block of shell commands in a folder, where the repository's own folder `deploy` is at hand."""
    (folder / "deploy").symlink_to(ROOT / "deploy")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def run_program(arguments: list[str], text: str = "", **environment: str) -> str:
    """Run Python on the repository's root; return what it printed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
