"""The programs on the pages under docs/ are clean by ruff and by mypy, as strict as the package is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT
from tests.support.documents import programs

_RUFF = ["--config", str(ROOT / "pyproject.toml"), "--ignore", "S", "--no-cache"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All programs beside each other: a test of a page imports what the page has declared."""
    folder = tmp_path_factory.mktemp("programs")
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for program in programs(page):
            file = folder / program.name
            if file.exists():
                file = folder / re.sub(
                    r"\W", "_", f"{page.relative_to(ROOT / 'docs').with_suffix('')}_{file.stem}"
                )
                file = file.with_suffix(".py")
            file.write_text(program.text)
    return folder


def test_ruff_finds_nothing(folder: Path) -> None:
    assert _said("ruff", "check", *_RUFF, "--output-format", "concise", str(folder)) == ""


@pytest.mark.long
def test_mypy_finds_nothing(folder: Path) -> None:
    files = [str(file) for file in sorted(folder.iterdir())]
    assert _said("mypy", "--config-file", str(ROOT / "pyproject.toml"), *files) == ""


def _said(*command: str) -> str:
    """Run a checker; return what it prints if it finds something."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    return f"{done.stdout}{done.stderr}" if done.returncode else ""
