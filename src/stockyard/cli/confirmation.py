"""Asks a person before something is gone for good."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from stockyard.errors import InvalidOption
from stockyard.model.printable import printable

Yes = Annotated[bool, Parameter(name=["--yes", "-y"], help="Do not ask.")]


def is_agreed(question: str, *, yes: bool) -> bool:
    """Ask on the terminal unless ``yes``; whatever does not begin with a y is a no.

    Commands that use it are no ``async def``: in a loop, Ctrl-C would not end the wait for the answer.

    Raises:
        InvalidOption: there is no terminal to ask.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise InvalidOption(f"{question} There is no terminal to ask on: give --yes if that is meant")
    print(f"{printable(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower().startswith("y"):
        return True
    print("Nothing was changed.", file=sys.stderr)
    return False
