"""The CPU-bound handler: in a module of its own, which the child processes import."""

from typing import Any

from stockyard import Job


def spin(turns: int = 400_000) -> int:
    """Arithmetic for some 20 ms, all in the interpreter."""
    total = 0
    for n in range(turns):
        total += n * n & 7
    return total


def burn(job: Job[Any]) -> int:
    """The handler."""
    return spin()
