"""The command `stockyard`."""

from stockyard.cli.program import main

__all__ = [
    "main",
]
