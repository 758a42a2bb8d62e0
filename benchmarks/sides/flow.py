"""Adds `flows` trees of one parent and `children` children, `group` at a time, and answers trees a second."""

import time
from typing import Any

from benchmarks.sides.ground import ARGUMENTS, QUEUE, main
from stockyard import App, Flow


def tree(number: int) -> Flow:
    children = [Flow("noop", QUEUE, {"i": child}) for child in range(ARGUMENTS["children"])]
    return Flow("noop", QUEUE, {"i": number}, children=children)


async def flow(app: App) -> dict[str, Any]:
    flows, group = ARGUMENTS["flows"], ARGUMENTS["group"]
    started = time.monotonic_ns()
    for first in range(0, flows, group):
        await app.flows.add_many([tree(number) for number in range(first, min(first + group, flows))])
    return {"rate": flows / ((time.monotonic_ns() - started) / 1e9)}


main(flow)
