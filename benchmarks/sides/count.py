"""Answers how many jobs of the queue are completed."""

from typing import Any

from benchmarks.sides.ground import QUEUE, main
from stockyard import App


async def count(app: App) -> dict[str, Any]:
    return {"completed": await app.queue(QUEUE).count("completed")}


main(count)
