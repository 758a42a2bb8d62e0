"""Reads the oldest `events` events of a queue, `times` times."""

from typing import Any

from benchmarks.sides.ground import ARGUMENTS, QUEUE, answer, main
from stockyard import App


async def reread(app: App) -> dict[str, Any]:
    answer({"ready": True})
    for _ in range(ARGUMENTS["times"]):
        seen = 0
        async with app.events(QUEUE, after="0-0") as events:
            async for _event in events:
                seen += 1
                if seen == ARGUMENTS["events"]:
                    break
    return {"events": ARGUMENTS["events"] * ARGUMENTS["times"]}


main(reread)
