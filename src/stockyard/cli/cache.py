"""`stockyard cache`: what the caches hold on the server, and dropping it."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App as Command
from cyclopts import Parameter

from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import show_json, show_table
from stockyard.cli.options import AsJson
from stockyard.errors import InvalidOption

cache = Command(name="cache", help="Show what the caches hold on the server, and drop it.")

_COLUMNS = ("cache", "entries", "bytes", "evictions")


@cache.command
async def stats(*, connection: Connection = DEFAULT, json: AsJson = False) -> None:
    """Show what each cache holds, how many of its entries left to make room, and the budget of all."""
    async with connection.open() as app:
        usage, budget = await app.caches.usage(), await app.caches.budget()
    if json:
        show_json({"budget": budget, "caches": usage})
        return
    show_table(
        _COLUMNS, [(each.name, each.entries, each.bytes, each.evictions) for each in usage], right=_COLUMNS[1:]
    )
    if budget is None:
        print("the caches have a server of their own, which keeps no account of them")
    else:
        print(f"{sum(each.bytes for each in usage):,} of {budget:,} bytes")


@cache.command
async def drop(
    *names: str,
    every: Annotated[bool, Parameter(name="--all", help="Drop every cache of the prefix.")] = False,
    connection: Connection = DEFAULT,
    json: AsJson = False,
) -> None:
    """Delete every entry and tag of caches; copies in processes end at once.

    Args:
        names: the caches.
    """
    if bool(names) == every:
        raise InvalidOption("name the caches to drop, or say --all; `stockyard cache stats` lists them")
    async with connection.open() as app:
        caches = [app.cache(name) for name in names or await app.caches.names()]
        dropped = {each.name: await each.clear() for each in caches}
    if json:
        show_json(dropped)
    else:
        show_table(("cache", "dropped entries"), dropped.items(), right=("dropped entries",))
