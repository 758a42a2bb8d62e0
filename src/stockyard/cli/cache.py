"""`stockyard cache`: what the caches hold on the server, and dropping it."""

from __future__ import annotations

import asyncio
from typing import Annotated

from cyclopts import App as Command
from cyclopts import Parameter

from stockyard.cache import CacheUsage
from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import show_json, show_table
from stockyard.cli.options import AsJson
from stockyard.errors import InvalidOption

cache = Command(name="cache", help="Show what the caches hold on the server, and drop it.")

_COLUMNS = ("cache", "entries", "bytes", "evictions")


@cache.command
def stats(*, connection: Connection = DEFAULT, json: AsJson = False) -> None:
    """Show what each cache holds, how many of its entries left to make room, and the budget of all."""
    usage, budget = asyncio.run(_usage(connection))
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
def drop(
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
    dropped = asyncio.run(_drop(names, connection))
    if json:
        show_json(dropped)
    else:
        show_table(("cache", "dropped entries"), dropped.items(), right=("dropped entries",))


async def _usage(connection: Connection) -> tuple[list[CacheUsage], int | None]:
    async with connection.open() as app:
        return await app.caches.usage(), await app.caches.budget()


async def _drop(names: tuple[str, ...], connection: Connection) -> dict[str, int]:
    async with connection.open() as app:
        found = names or await app.caches.names()
        caches = [app.cache(name) for name in found]
        return {each.name: await each.clear() for each in caches}
