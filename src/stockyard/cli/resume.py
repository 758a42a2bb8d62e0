"""`stockyard resume`: ends a halt, and closes circuit breakers."""

from __future__ import annotations

from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import complain, say
from stockyard.cli.halt import NOTHING, By, Key
from stockyard.cli.person import user_name


async def resume(
    queues: str, /, *, reason: str = "", key: Key = None, by: By = None, connection: Connection = DEFAULT
) -> int:
    """End a halt of these queues, and their open circuit breakers; the exit status is 1 if there was none.

    Args:
        queues: as it was given to `stockyard halt`.
        reason: why, for the audit.
    """
    what = queues if key is None else f"key {key} of {queues}"
    async with connection.open() as app:
        if await app.resume(queues, key=key, reason=reason, by=by or user_name()):
            say(f"{what} is resumed")
            return 0
        left = await app.halts()
    complain(f"{what} was not halted. Halted are: {'; '.join(map(str, left)) or 'none'}")
    return NOTHING
