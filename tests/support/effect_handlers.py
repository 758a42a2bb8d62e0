"""Handlers with effects, for threads and child processes, which are found by their modules."""

import os
from typing import Any

from stockyard import Job
from stockyard.effects import Effect
from tests.support.plain_client import PlainClient
from tests.support.waiting import wait_until


def book() -> PlainClient:
    """Where a test's venue keeps its orders."""
    return PlainClient(os.environ["EFFECTS_URL"])


def place_plain(job: Job[Any]) -> str:
    """Submit in a thread or a child process, to the book that the job names: children are older than a test."""
    url, orders = job.data["book"]
    with job.effect(job.data["order"], max_duration="5s") as effect:
        sent = PlainClient(url).rpush(orders, effect.key)
        effect.record({"sent": sent})
    if job.data.get("fails") and job.attempt == 1:
        raise ValueError("behind the effect")
    return "done"


async def place_and_stall(job: Job[Any]) -> dict[str, Any]:
    """Submit, and hang between the venue's answer and the record of it, in the first run alone.

    With ``bare`` it submits without an effect.
    """
    if "bare" in job.data:
        book().rpush(os.environ["EFFECTS_BOOK"], job.data["order"])
        book().set(os.environ["EFFECTS_BOOK"] + ":placed", os.getpid())
        wait_until(lambda: book().exists(os.environ["EFFECTS_BOOK"] + ":go"), within=60)
    async with job.effect(job.data["order"], max_duration="60s") as effect:
        sent = book().rpush(os.environ["EFFECTS_BOOK"], effect.key)
        if job.attempts_started == 1:
            book().set(os.environ["EFFECTS_BOOK"] + ":placed", os.getpid())
            # The test stops this process here, between two lines of it.
            wait_until(lambda: book().exists(os.environ["EFFECTS_BOOK"] + ":go"), within=60)
        effect.record({"sent": sent})
    return {"fence": effect.fence}


async def count_placed(effect: Effect) -> int:
    """What a function of ``effect.run`` does."""
    return int(book().rpush(os.environ["EFFECTS_BOOK"], effect.key))
