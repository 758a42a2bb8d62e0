"""What the server knows of the limits of all exchanges that were used under a prefix: freezes and declarations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from stockyard._store.net.connection import Command
from stockyard._store.net.server import Server
from stockyard._wire.own_keys import limits_base, limits_index
from stockyard.errors import ServerError
from stockyard.model.naming import Naming

_FROZEN = b"frozen:"
_unpack = msgspec.msgpack.Decoder().decode


class LimitsFacts(NamedTuple):
    """The limits of one exchange.

    Attributes:
        name: of the limits.
        frozen_until: scope -> until when its calls are held, ms since the epoch; the empty scope is all calls.
            Some may be over.
        declared: limit -> its kind, its scope and its rule, as the program that was started last declares them;
            empty where none has.
    """

    name: str
    frozen_until: Mapping[str, float]
    declared: Mapping[str, Mapping[str, Any]]


def index_call(naming: Naming) -> Command:
    """Return the command whose reply ``read_facts`` takes for the names of all limits."""
    return ("HGETALL", limits_index(naming))


async def read_facts(server: Server, naming: Naming, index: Any = None) -> list[LimitsFacts]:
    """Return what is known of all limits, by name; those that cannot be read are left out.

    Args:
        server, naming: where the limits are.
        index: the reply to ``index_call``. Defaults to None: it is read now.

    Raises:
        ServerUnavailable, ReplyLost: the server does not answer.
    """
    if index is None:
        (index,) = await server.ask([index_call(naming)])
    if isinstance(index, ServerError) or not index:
        return []
    names = sorted(name.decode(errors="replace") for name in index[::2])
    replies = await server.ask([("HGETALL", f"{limits_base(naming, name)}head") for name in names])
    return [
        _facts(name, dict(zip(reply[::2], reply[1::2], strict=True)))
        for name, reply in zip(names, replies, strict=True)
        if not isinstance(reply, ServerError)
    ]


def _facts(name: str, fields: Mapping[bytes, bytes]) -> LimitsFacts:
    until = {
        field.removeprefix(_FROZEN).decode(errors="replace"): float(value) / 1000
        for field, value in fields.items()
        if field.startswith(_FROZEN)
    }
    packed = fields.get(b"declared")
    limits = _unpack(packed)["limits"] if packed else []
    return LimitsFacts(name, until, {each["name"]: without_cost(each) for each in limits})


def without_cost(limit: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is declared of a limit, without what calls are given with it."""
    return {field: value for field, value in limit.items() if field not in ("name", "cost")}
