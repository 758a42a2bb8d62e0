"""Reads the events of a queue until it is drained; answers how many it was told of, and of how many gaps."""

import time
from typing import Any

from benchmarks.sides.ground import QUEUE, answer, main
from stockyard import App
from stockyard.events import DrainedEvent, EventGap


async def follow(app: App) -> dict[str, Any]:
    seen = gaps = 0
    async with app.events(QUEUE) as events:
        answer({"ready": True})
        before = time.process_time()
        async for event in events:
            seen += 1
            gaps += isinstance(event, EventGap)
            if isinstance(event, DrainedEvent):
                break
    return {"events": seen, "gaps": gaps, "reader_us": (time.process_time() - before) / seen * 1e6}


main(follow)
