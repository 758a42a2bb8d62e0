"""A queue, its handler, a worker and a producer, in one process and on a server that it starts itself."""

import asyncio

from stockyard import App, Job, Topology

shop = Topology("shop")
mail = shop.queue("mail", concurrency=50, attempts=5, backoff="1s")


@mail.handler("welcome")
async def welcome(job: Job[dict[str, str]]) -> str:
    return f"welcomed {job.data['to']}"


async def main() -> None:
    async with App(shop, redis="embedded://") as app:
        worker = app.worker("mail")
        working = asyncio.create_task(worker.run())
        job = await app.queue("mail").add("welcome", {"to": "ada@example.org"})
        print(await job.wait_for_result(timeout="10s"))
        await worker.stop()
        await working


if __name__ == "__main__":
    asyncio.run(main())
