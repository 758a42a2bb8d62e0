"""A keyspace as plain values that can be compared: without times, and without what nobody relies on."""

import json
import re
from typing import Any

import redis

_UNEQUAL = {"version", "prevCount", "swept"}
_PASSING = (":marker", ":stalled", ":stalled-check", ":metrics:completed:data", ":metrics:failed:data")
_TIME = r"1[789]\d{11}"


def dump(raw: "redis.Redis", prefix: str) -> dict[str, Any]:
    """Every key below the prefix, with times and what nobody relies on taken out."""
    found = {}
    for key in raw.scan_iter(f"{prefix}:*", count=1000):
        name = key.removeprefix(f"{prefix}:")
        # Wake-up tokens and the sweeper's notes depend on the moment a worker left, points on when a minute ended.
        if not name.endswith(_PASSING):
            found[name] = _plain(raw, key, prefix)
    return found


def _plain(raw: Any, key: str, prefix: str) -> Any:
    match raw.type(key):
        case "string":
            value: Any = raw.get(key)
        case "list":
            value = raw.lrange(key, 0, -1)
        case "set":
            value = sorted(raw.smembers(key))
        case "zset":
            members = raw.zrange(key, 0, -1, withscores=True)
            # Which of two ended first may be a matter of the same millisecond.
            value = (
                sorted(members)
                if key.endswith((":completed", ":failed", ":waiting-children", ":unsuccessful"))
                else members
            )
            value = [(member, _score(key, score)) for member, score in value]
        case "stream":
            value = [list(fields.items()) for _, fields in raw.xrange(key)]
        case _:
            value = {name: _field(name, text) for name, text in raw.hgetall(key).items() if name not in _UNEQUAL}
    text = json.dumps(value, sort_keys=True).replace(prefix, "P")
    # Times that stand alone, and those in the ids of schedules' runs.
    text = re.sub(rf"([\[ ]){_TIME}(?=[,\]}}])", r'\1"TIME"', text)
    return json.loads(re.sub(rf"\b{_TIME}\b", "TIME", text))


def _score(key: str, score: float) -> Any:
    return "due" if key.endswith(":delayed") else int(score)


def _field(name: str, text: str) -> Any:
    if name == "opts":
        # Node writes attempts 0 where we write 1; both mean one.
        options = json.loads(text)
        return {**options, "attempts": options.get("attempts") or 1}
    if name == "stacktrace":
        return len(json.loads(text))
    return text
