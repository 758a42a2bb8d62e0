"""A keyspace as plain values that can be compared: without times, and without what nobody relies on."""

import json
import re
from typing import Any

import redis

from tests.support.reading import read_keys

_UNEQUAL = {"version", "prevCount", "swept"}
_PASSING = (":marker", ":stalled", ":stalled-check", ":metrics:completed:data", ":metrics:failed:data")
_TIME = r"1[789]\d{11}"


def dump(raw: "redis.Redis", prefix: str) -> dict[str, Any]:
    """Every key below the prefix, with times and what nobody relies on taken out."""
    keys = [
        key
        for key in raw.scan_iter(f"{prefix}:*", count=1000)
        # Wake-up tokens and the sweeper's notes depend on the moment a worker left, points on when a minute ended.
        if not key.endswith(_PASSING)
    ]
    return {
        key.removeprefix(f"{prefix}:"): _plain(key, kind, value, prefix)
        for key, (kind, value) in zip(keys, read_keys(raw, keys), strict=True)
    }


def _plain(key: str, kind: str, value: Any, prefix: str) -> Any:
    match kind:
        case "set":
            value = sorted(value)
        case "zset":
            # Which of two ended first may be a matter of the same millisecond.
            if key.endswith((":completed", ":failed", ":waiting-children", ":unsuccessful")):
                value = sorted(value)
            value = [(member, _score(key, score)) for member, score in value]
        case "stream":
            value = [list(fields.items()) for _, fields in value]
        case "hash":
            value = {name: _field(name, text) for name, text in value.items() if name not in _UNEQUAL}
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
