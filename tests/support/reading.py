"""Reads many keys, of whatever types, in one call."""

from collections.abc import Iterator, Sequence
from typing import Any

import redis

_READ = """
local found = {}
for at, key in ipairs(KEYS) do
    local kind, value = redis.call('TYPE', key).ok, false
    if kind == 'string' then value = redis.call('GET', key)
    elseif kind == 'list' then value = redis.call('LRANGE', key, 0, -1)
    elseif kind == 'set' then value = redis.call('SMEMBERS', key)
    elseif kind == 'zset' then value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    elseif kind == 'hash' then value = redis.call('HGETALL', key)
    elseif kind == 'stream' then value = redis.call('XRANGE', key, '-', '+')
    end
    found[at] = {kind, value}
end
return found
"""


def read_keys(raw: "redis.Redis", keys: Sequence[str]) -> list[tuple[str, Any]]:
    """Return the type and the value of each key, in the order given.

    A sorted set's value is its members with their scores, a stream's its entries with their ids, that of a missing
    key None.
    """
    found: Any = raw.eval(_READ, len(keys), *keys)
    return [(kind, _value(kind, value)) for kind, value in found]


def _value(kind: str, value: Any) -> Any:
    match kind:
        case "set":
            return set(value)
        case "zset":
            return [(member, float(score)) for member, score in _pairs(value)]
        case "hash":
            return dict(_pairs(value))
        case "stream":
            return [(entry, dict(_pairs(fields))) for entry, fields in value]
        case _:
            return value


def _pairs(flat: list[str]) -> Iterator[tuple[str, str]]:
    return zip(flat[::2], flat[1::2], strict=True)
