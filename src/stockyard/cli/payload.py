"""Reads a payload that is given on the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from stockyard.errors import PayloadError


def payload_of(given: str) -> Any:
    """Return the value of JSON text; ``@FILE`` reads it from a file, ``@-`` from standard input.

    Commands that use it are no ``async def``: in a loop, Ctrl-C would not end the wait for standard input.

    Raises:
        PayloadError: the file cannot be read, or it is no JSON.
    """
    try:
        return msgspec.json.decode(_text(given))
    except msgspec.DecodeError as error:
        raise PayloadError(f'the data must be JSON text, as in \'{{"symbol": "BTCUSDT"}}\': {error}') from None


def _text(given: str) -> str:
    if given == "@-":
        return sys.stdin.read()
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise PayloadError(f"the data's file {given[1:]!r} cannot be read: {error}") from None
