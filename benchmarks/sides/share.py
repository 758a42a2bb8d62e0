"""Works a queue beside other processes, from the moment that a file is there; its handlers note their starts."""

import asyncio
from pathlib import Path
from typing import Any

from benchmarks.sides.ground import ARGUMENTS, QUEUE, answer, main
from benchmarks.sides.marking import mark_in_loop
from stockyard import App


async def share(app: App) -> dict[str, Any]:
    worker = app.worker(QUEUE, mark_in_loop, concurrency=ARGUMENTS["concurrency"])
    answer({"ready": True})
    while not Path(ARGUMENTS["begin"]).exists():
        await asyncio.sleep(0.005)
    await worker.run()
    return {}


main(share)
