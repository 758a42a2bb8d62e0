"""Commands for the node that a slot is being moved to: it answers only callers that were sent there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stockyard._store.net.connection import Command

_ASKING: Command = ("ASKING",)


def asking(commands: Sequence[Command]) -> list[Command]:
    """Return commands of one slot with ``ASKING`` before each, to be sent in one write on one connection.

    ``ASKING`` counts for the next command of its connection, or for a whole transaction.
    """
    if _is_transaction(commands):
        return [_ASKING, *commands]
    return [part for command in commands for part in (_ASKING, command)]


def without_asking(commands: Sequence[Command], replies: Sequence[Any]) -> list[Any]:
    """Return the replies to the commands themselves."""
    return list(replies[1:] if _is_transaction(commands) else replies[1::2])


def _is_transaction(commands: Sequence[Command]) -> bool:
    return commands[0][0] == "MULTI"
