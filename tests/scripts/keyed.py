"""Keys of a queue in order, as keys of the server."""

import json
from typing import Any

from stockyard.model.key_order import KeyOrder
from tests.scripts.conftest import NOW, Sorted, record

ORDERED = KeyOrder(is_ordered=True)
PASSING = KeyOrder(is_ordered=True, passes=True)
PARKING = KeyOrder(is_ordered=True, parks=True)


def standing(key: str, *heads: str) -> dict[str, Any]:
    """Jobs that stand for a key."""
    return {":keys:heads": dict.fromkeys(heads, key), ":keys:holders": {key: json.dumps(heads).replace(" ", "")}}


def lined_up(key: str, *jobs: str, **fields: Any) -> dict[str, Any]:
    """The line of a key, with the records of its jobs."""
    return {
        f":key:{key}": Sorted({job: float(job) for job in jobs}),
        ":keys:lines": Sorted({key: NOW}),
        ":keys:waiting": str(len(jobs)),
        **{job: record(**{"stockyard.key": key}, **fields) for job in jobs},
    }
