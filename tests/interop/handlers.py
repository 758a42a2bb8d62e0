"""The handlers of ``peer.mjs`` once more in Python, so that either side may run a job of these names."""

import asyncio
from typing import Any

from stockyard import Job, Router, StockyardError, UnrecoverableError

handlers = Router()


@handlers.handler("echo")
async def echo(job: Job[Any]) -> Any:
    return job.data


@handlers.handler("nothing")
async def nothing(job: Job[Any]) -> None:
    pass


@handlers.handler("slow")
async def slow(job: Job[dict[str, int]]) -> None:
    await asyncio.sleep(job.data["ms"] / 1000)


@handlers.handler("hang")
async def hang(job: Job[Any]) -> None:
    await asyncio.Event().wait()


@handlers.handler("fail")
async def fail(job: Job[dict[str, str]]) -> None:
    # Its message alone is the reason, as on Node; of other errors the class stands before it.
    raise StockyardError(job.data["reason"])


@handlers.handler("fail_for_good")
async def fail_for_good(job: Job[dict[str, str]]) -> None:
    raise UnrecoverableError(job.data["reason"])


@handlers.handler("fail_first")
async def fail_first(job: Job[dict[str, int]]) -> int:
    if job.attempts_made < job.data["times"]:
        raise StockyardError(f"try {job.attempt}")
    return job.attempt


@handlers.handler("report")
async def report(job: Job[dict[str, list[Any]]]) -> None:
    for value in job.data["progress"]:
        await job.update_progress(value)
    for line in job.data["lines"]:
        await job.log(line)


@handlers.handler("gather")
async def gather(job: Job[Any]) -> dict[str, Any]:
    return await job.children_values()


@handlers.handler("delay_once")
async def delay_once(job: Job[dict[str, int]]) -> int:
    if not job.data.get("step"):
        await job.update_data({**job.data, "step": 1})
        await job.move_to_delayed(job.data["ms"] / 1000)
    return job.attempts_started


@handlers.handler("wait_once")
async def wait_once(job: Job[dict[str, int]]) -> int:
    if not job.data.get("step"):
        await job.update_data({**job.data, "step": 1})
        await job.move_to_wait()
    return job.attempts_started


@handlers.handler("limit_once")
async def limit_once(job: Job[dict[str, int]]) -> int:
    if not job.data.get("step"):
        await job.update_data({**job.data, "step": 1})
        await job.rate_limit(job.data["ms"] / 1000)
    return job.attempts_started


@handlers.handler("await_children")
async def await_children(job: Job[Any]) -> list[Any]:
    await job.wait_for_children()
    return sorted((await job.children_values()).values())
