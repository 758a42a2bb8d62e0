"""arq: one worker with 100 jobs at a time, which looks for more every 10 ms rather than every half second."""

import asyncio

from arq import create_pool, run_worker
from arq.connections import RedisSettings
from entry import BATCH, JOBS, URL, main, mark


async def noop(ctx, i):
    mark()


class WorkerSettings:
    functions = (noop,)
    redis_settings = RedisSettings.from_dsn(URL)
    max_jobs = 100
    poll_delay = 0.01
    log_results = False


async def fill():
    pool = await create_pool(WorkerSettings.redis_settings)
    for start in range(0, JOBS, BATCH):
        numbers = range(start, min(start + BATCH, JOBS))
        await asyncio.gather(*(pool.enqueue_job("noop", n) for n in numbers))
    await pool.aclose()


def work():
    asyncio.set_event_loop(asyncio.new_event_loop())
    run_worker(WorkerSettings)


if __name__ == "__main__":
    main(fill=lambda: asyncio.run(fill()), work=work)
