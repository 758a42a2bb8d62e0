"""A script as the server runs it, for a process that does not compose any."""

from __future__ import annotations

from typing import NamedTuple


class ComposedScript(NamedTuple):
    """What a call of a script needs of it.

    Attributes:
        sha, text, keys, reads_only: those of ``Script``.
    """

    sha: str
    text: str
    keys: tuple[str, ...]
    reads_only: bool
