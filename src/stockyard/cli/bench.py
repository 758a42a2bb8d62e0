"""`stockyard bench`: runs the benchmarks of the repository that this package is installed from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App as Command
from cyclopts import Parameter

from stockyard.errors import ConfigError

bench = Command(name="bench", help="Measure Stockyard; needs a clone of the repository.", help_flags=[])


@bench.default
def run(*arguments: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """Run `python -m benchmarks`, with the same arguments.

    Args:
        arguments: handed on; --help names them.
    """
    root = Path(__file__).resolve().parents[3]
    if not (root / "benchmarks" / "__main__.py").is_file():
        raise ConfigError(
            "the benchmarks are no part of the installed package: clone the repository and run `make bench` there"
        )
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=root, check=False).returncode  # noqa: S603 - this interpreter, the caller's words
