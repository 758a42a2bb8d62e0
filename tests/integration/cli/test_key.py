"""`stockyard key`: keys are listed and shown, and parked ones go on."""

import asyncio
from functools import partial
from typing import Any

import pytest

from stockyard import App
from stockyard.model.key_order import KeyState
from tests.integration.cli.conftest import Run
from tests.integration.cli.ordered import desk
from tests.support.waiting import eventually

QUEUE = "execution:orders"
ORDERED = "tests.integration.cli.ordered:desk"


@pytest.fixture
def parked(redis_url: str, prefix: str, run: Run) -> Run:
    """The command on a queue whose key ``A`` is parked by job 1, with job 2 behind it."""

    async def park() -> None:
        async with App(desk, redis_url, prefix=prefix) as app:
            queue = app.queue(QUEUE)
            await queue.add_many([("place", -1, {"key": "A"}), ("place", 2, {"key": "A"})])
            worker = app.worker(QUEUE)
            running = asyncio.create_task(worker.run())

            async def is_parked() -> bool:
                return bool(await queue.keys.list(KeyState.PARKED))

            await eventually(is_parked)
            await worker.stop()
            await running

    asyncio.run(park())
    return partial(run, app=ORDERED)


def test_keys_are_listed_and_shown(parked: Run) -> None:
    listed = parked("key", "list", QUEUE, "--state", "parked")
    assert listed.status == 0
    assert "no such quantity" in listed.out
    found: Any = parked("key", "list", QUEUE, "--json").json()
    assert [(each["key"], each["state"], each["head"], each["length"]) for each in found] == [
        ("A", "parked", "1", 1)
    ]
    assert parked("key", "list", QUEUE, "--state", "running", "--json").json() == []
    shown = parked("key", "show", QUEUE, "A")
    assert shown.status == 0
    assert "no such quantity" in shown.out
    answer: Any = parked("key", "show", QUEUE, "A", "--json").json()
    assert answer["waiting"] == ["2"]
    assert parked("key", "show", QUEUE, "B").status == 2


@pytest.mark.parametrize(
    ("how", "said", "failed"),
    [
        ("resume", "key A goes on; job 1 stays failed", 1),
        ("skip", "key A goes on; job 1 is removed", 0),
        ("replay", "key A goes on; job 1 runs again first", 0),
    ],
)
def test_a_parked_key_goes_on(parked: Run, how: str, said: str, failed: int) -> None:
    done = parked("key", how, QUEUE, "A")
    assert (done.status, done.out.strip()) == (0, said)
    counts: Any = parked("queue", "counts", QUEUE, "--json").json()
    assert counts[QUEUE]["failed"] == failed
    assert parked("key", "list", QUEUE, "--state", "parked", "--json").json() == []
    again = parked("key", how, QUEUE, "A")
    assert again.status == 2
    assert "is not parked" in again.err


def test_a_queue_without_order_has_no_keys(run: Run) -> None:
    assert run("key", "list", "mail", "--json").json() == []
    refused = run("key", "resume", "mail", "A")
    assert refused.status == 2
    assert "declares nothing of keys" in refused.err
