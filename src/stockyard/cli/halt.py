"""`stockyard halt`: the kill switch, from a shell."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import complain, say
from stockyard.cli.person import user_name
from stockyard.errors import InvalidOption

NOTHING = 1
"""Exit status when there was nothing to resume."""

Key = Annotated[str | None, Parameter(help="Only jobs of this key, or with this value in their scope.")]
By = Annotated[str | None, Parameter(help="Who you are; the user of this machine by default.")]


async def halt(
    queues: str, /, *, reason: str, key: Key = None, by: By = None, connection: Connection = DEFAULT
) -> None:
    """Let no job of these queues start and no effect begin, on any worker, until `stockyard resume`.

    Args:
        queues: name of a queue, or a pattern in quotes, as in 'execution:*'.
        reason: why; it is kept, and shown wherever the halt is.
    """
    if not reason.strip():
        raise InvalidOption("--reason must say why: it is shown wherever the halt is")
    async with connection.open() as app:
        found = await app.halt(queues, key=key, reason=reason, by=by or user_name())
        names = [spec.name for spec in app.topology if found.applies_to(spec.name)]
    say(found)
    if names:
        say(f"holds now: {', '.join(names)}")
    else:
        complain(
            f"no queue that is declared here matches {queues!r}; those of other programs follow by their workers"
        )
