"""`stockyard bench`: runs the benchmarks of the repository that this package is installed from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App as Command
from cyclopts import Parameter

from stockyard._aio.stop_signals import sigterm_as_interrupt
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
    with sigterm_as_interrupt() as terminated:
        child = subprocess.Popen(command, cwd=root)  # noqa: S603 - this interpreter, the caller's words
        try:
            return child.wait()
        except KeyboardInterrupt:
            # Ctrl-C in a terminal has reached the child itself.
            if terminated:
                child.terminate()
            child.wait()
            raise
