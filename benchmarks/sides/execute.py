"""Works a queue in the executor that it is declared with, until it is ended; the handlers note their starts."""

from typing import Any

from benchmarks.sides.ground import ARGUMENTS, QUEUE, main
from benchmarks.sides.marking import mark, mark_in_loop
from stockyard import App


async def execute(app: App) -> dict[str, Any]:
    handler = mark_in_loop if ARGUMENTS.get("in_loop") else mark
    await app.worker(QUEUE, handler, concurrency=ARGUMENTS["concurrency"]).run()
    return {}


if __name__ == "__main__":
    main(execute)
