"""Adds `jobs` jobs with priorities, in groups, to `queues` queues that each hold `held`; answers the rate."""

import asyncio
import itertools
import random
import time
from typing import Any

from benchmarks.sides.ground import ARGUMENTS, RANKED, main
from stockyard import App

PRIORITIES = (1, 5, 10, 15)


async def prioritize(app: App) -> dict[str, Any]:
    group = ARGUMENTS["group"]
    queues = [app.queue(name) for name in RANKED[: ARGUMENTS["queues"]]]
    dice = random.Random(7)

    async def add(number: int) -> None:
        turns = itertools.cycle(queues)
        for start in range(0, number, group):
            queue = next(turns)
            await asyncio.gather(
                *(
                    queue.add("noop", {"i": n}, priority=dice.choice(PRIORITIES))
                    for n in range(start, min(start + group, number))
                )
            )

    await add(ARGUMENTS["held"] * len(queues))
    start = time.perf_counter()
    await add(ARGUMENTS["jobs"])
    return {"rate": ARGUMENTS["jobs"] / (time.perf_counter() - start)}


main(prioritize)
