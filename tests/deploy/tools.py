"""Runs the programs that check the files of deploy/, and reads these files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import yaml  # type: ignore[import-untyped]

from stockyard.cli.program import program

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
_PLACES = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.prefix) / "bin")])


def checked(tool: str, *arguments: str, text: str = "") -> str:
    """Run a checker, on a text if there is one, which must be content; return what it printed."""
    path = shutil.which(tool, path=_PLACES)
    if path is None:
        raise RuntimeError(f"no {tool} found: run `make promtool linters` first")
    done = subprocess.run([path, *arguments], input=text, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def documents(path: Path) -> list[dict[str, Any]]:
    """The objects of a file, which it separates by ``---``."""
    return [msgspec.convert(document, dict[str, Any]) for document in yaml.safe_load_all(path.read_text())]


def options_of(arguments: list[str]) -> dict[str, Any]:
    """The options of a command as it will be given them; what it does not know is refused."""
    assert arguments[0].endswith("stockyard")
    _, bound, *_ = program.parse_args(arguments[1:], exit_on_error=False, print_error=False)
    return bound.arguments
