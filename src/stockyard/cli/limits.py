"""`stockyard limits`: the limits of exchanges as all processes see them, frozen and thawed by hand."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App as Command
from cyclopts import Parameter

from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import say, seconds, show_facts, show_json, show_table
from stockyard.cli.options import AsJson
from stockyard.errors import InvalidOption

limits = Command(name="limits", help="List and show the limits of exchanges, and freeze or thaw them.")

_NUMBERS = ("used", "left", "amount")


@limits.command(name="list")
async def list_(*, connection: Connection = DEFAULT, json: AsJson = False) -> None:
    """List the limits in use or declared by --app: how full the fullest is, and for how long calls are held."""
    async with connection.open() as app:
        found = [await app.all_limits.status(name) for name in await app.all_limits.names()]
    if json:
        show_json(found)
        return
    rows = []
    for each in found:
        fullest = max(each.usage, key=lambda usage: usage.used / usage.most, default=None)
        share = f"{fullest.used / fullest.most:.0%} of {fullest.limit}" if fullest else None
        rows.append((each.name, share, seconds(max(each.frozen.values(), default=0))))
    show_table(("limits", "fullest", "frozen"), rows)


@limits.command
async def show(name: str, /, *, connection: Connection = DEFAULT, json: AsJson = False) -> None:
    """Show what is used and left of each limit in each scope, and what is frozen.

    Args:
        name: of the limits.
    """
    async with connection.open() as app:
        found = await app.all_limits.status(name)
    if json:
        show_json(found)
        return
    held = {f"frozen {scope or 'all calls'}": seconds(left) for scope, left in found.frozen.items()}
    show_facts({"limits": found.name, **held, "source": found.source or None})
    rows = [(each.limit, each.scope, each.used, each.left, each.most) for each in found.usage]
    show_table(("limit", "scope", *_NUMBERS), rows, right=_NUMBERS)


@limits.command
async def freeze(
    name: str,
    duration: str,
    /,
    *,
    scope: Annotated[str | None, Parameter(help="Hold these calls alone, as in ip=10.0.0.1.")] = None,
    connection: Connection = DEFAULT,
) -> None:
    """Hold all calls of all processes for a while, and the queues that the limits name.

    Args:
        name: of the limits.
        duration: as in 30s; a freeze that ends later stays.
    """
    kind, is_pair, value = (scope or "").partition("=")
    if scope is not None and not (is_pair and kind and value):
        raise InvalidOption(f"--scope is NAME=VALUE, as in ip=10.0.0.1; got {scope!r}")
    async with connection.open() as app:
        held = await app.all_limits.freeze(name, duration, scope={kind: value} if scope else None)
    say(f"{name}: {scope or 'all calls'} held for {seconds(held)}")


@limits.command
async def thaw(name: str, /, *, connection: Connection = DEFAULT) -> None:
    """End all freezes of limits.

    Args:
        name: of the limits.
    """
    async with connection.open() as app:
        ended = await app.all_limits.thaw(name)
    say(f"{name}: {ended} freeze{'' if ended == 1 else 's'} ended")
