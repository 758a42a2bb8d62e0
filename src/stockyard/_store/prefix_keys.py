"""All keys under one prefix: removes them, and brings them nearer to their expiry when a test moves its clock."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence

from stockyard._store.net.server_calls import ServerCalls
from stockyard.model.naming import Naming

_PAGE = 1000
_LOCK, _META, _SWEPT = b":lock", b":meta", "swept"


async def remove_keys(server: ServerCalls, naming: Naming) -> None:
    """Remove all keys under the prefix.

    Raises:
        ServerError: the server did not answer.
    """
    for node in await server.primaries():
        async for keys in _pages(node, naming):
            # One by one: two keys of a cluster's node may lie in two slots.
            await node.ask([("UNLINK", key) for key in keys])


async def age_keys(server: ServerCalls, naming: Naming, milliseconds: int, *, renewed: Sequence[str]) -> None:
    """Let keys that expire do so sooner, as if this time had passed; those that would have expired are removed.

    Args:
        server: where they are.
        naming: how they are spelled.
        milliseconds: how much sooner.
        renewed: what the tokens of workers begin with that renew their locks: these stay as they are.

    Raises:
        ServerError: the server did not answer.
    """
    for node in await server.primaries():
        async for keys in _pages(node, naming):
            locks = [key for key in keys if key.endswith(_LOCK)]
            held = dict(zip(locks, await node.ask([("GET", key) for key in locks]), strict=True)) if locks else {}
            await _age(node, [key for key in keys if not _is_of(held.get(key), renewed)], milliseconds)


def _is_of(token: object, holders: Sequence[str]) -> bool:
    """Whether a lock has the token of one of these workers."""
    return isinstance(token, bytes) and token.decode(errors="replace").startswith(tuple(holders))


async def _age(node: ServerCalls, keys: list[bytes], milliseconds: int) -> None:
    if not keys:
        return
    changes: list[tuple[str | bytes | int, ...]] = []
    for key, left in zip(keys, await node.ask([("PTTL", key) for key in keys]), strict=True):
        if left > milliseconds:
            changes.append(("PEXPIRE", key, left - milliseconds))
        elif left >= 0:
            changes.append(("UNLINK", key))
    # The look for stalled jobs notes in the queue's settings when it was, by the server's own time.
    settings = [key for key in keys if key.endswith(_META)]
    if settings:
        for key, swept in zip(settings, await node.ask([("HGET", key, _SWEPT) for key in settings]), strict=True):
            if isinstance(swept, bytes):
                changes.append(("HSET", key, _SWEPT, int(swept) - milliseconds))
    if changes:
        await node.ask(changes)


async def _pages(node: ServerCalls, naming: Naming) -> AsyncIterator[list[bytes]]:
    """Yield the keys under the prefix, a page at a time."""
    prefix = re.sub(r"([\\*?\[\]^-])", r"\\\1", naming.prefix)
    cursor: bytes | str = "0"
    while True:
        cursor, keys = await node.call("SCAN", cursor, "MATCH", f"*{prefix}*", "COUNT", _PAGE)
        if own := [key for key in keys if naming.holds(key.decode(errors="replace"))]:
            yield own
        if int(cursor) == 0:
            return
