"""taskiq with the list broker of taskiq-redis: one worker process, 100 tasks at a time."""

import asyncio

from entry import BATCH, JOBS, URL, main, mark, run_command
from taskiq_redis import ListQueueBroker

broker = ListQueueBroker(url=URL)


@broker.task(task_name="noop")
async def noop(i: int) -> None:
    mark()


async def fill():
    await broker.startup()
    for start in range(0, JOBS, BATCH):
        numbers = range(start, min(start + BATCH, JOBS))
        await asyncio.gather(*(noop.kiq(n) for n in numbers))
    await broker.shutdown()


def work():
    run_command(
        "taskiq", "worker", "taskiq_peer:broker", "--workers", "1", "--max-async-tasks", "100",
        "--log-level", "WARNING",
    )  # fmt: skip


if __name__ == "__main__":
    main(fill=lambda: asyncio.run(fill()), work=work)
