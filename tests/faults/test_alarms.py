"""The platform's three alerts on real conditions, watched by worker processes and told to a webhook."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stockyard import App, Job, JobState
from tests.faults.desk import LEASE_SECONDS, desk
from tests.support.forked import Forked
from tests.support.waiting import eventually
from tests.support.webhook import Listener

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
async def app(redis_url: str, prefix: str) -> AsyncIterator[App]:
    async with App(desk, redis_url, prefix=prefix) as app:
        yield app


@pytest.fixture
def start(redis_url: str, prefix: str, listener: Listener, tmp_path: Path) -> Iterator[Start]:
    """Starts `stockyard worker` on queues of the desk; thresholds of time are shortened, those of numbers not."""
    environment = {
        **os.environ,
        "REDIS_URL": redis_url,
        "STOCKYARD_PREFIX": prefix,
        "STOCKYARD_ALERT_INTERVAL": "300ms",
        "STOCKYARD_ALERT_ACTIVE": "1s",
        "STOCKYARD_ALERT_WEBHOOK": listener.url,
    }
    with ExitStack() as ending:

        def call(*queues: str) -> "subprocess.Popen[bytes]":
            log = ending.enter_context((tmp_path / f"{'-'.join(queues)}.log").open("ab"))
            process: Forked[bytes] = Forked(
                [sys.executable, "-m", "stockyard.cli", "worker", "tests.faults.desk:desk"]
                + [f"--queue={each}" for each in queues],
                env=environment,
                stderr=log,
            )
            ending.callback(process.wait)
            ending.callback(process.kill)
            return process

        yield call


async def test_each_alert_reaches_the_webhook_once_when_it_begins_and_once_when_it_ends(
    app: App, start: Start, listener: Listener
) -> None:
    fills, orders = app.queue("fills"), app.queue("orders")
    start("orders")
    await fills.add_many([("fill", n) for n in range(101)])
    await eventually(lambda: ("firing", "waiting", "fills") in listener.notified())
    await orders.add_many([("submit", n) for n in range(51)])
    await eventually(lambda: ("firing", "failed", "orders") in listener.notified())

    start("fills")
    await eventually(lambda: ("resolved", "waiting", "fills") in listener.notified())
    await orders.clean(JobState.FAILED)
    await eventually(lambda: ("resolved", "failed", "orders") in listener.notified())

    assert listener.notified() == [
        ("firing", "waiting", "fills"),
        ("firing", "failed", "orders"),
        ("resolved", "waiting", "fills"),
        ("resolved", "failed", "orders"),
    ]
    texts = [each["text"] for each in listener.got]
    assert "waiting is 101, more than 100: scale workers" in texts[0]
    assert "failed is 51, more than 50: investigate errors" in texts[1]


async def test_a_frozen_worker_is_named_with_its_job_and_the_job_is_handed_back(
    app: App, start: Start, listener: Listener
) -> None:
    settlement = app.queue("settlement")
    victim = start("settlement")
    job = await settlement.add("settle")
    await eventually(lambda: _is(job, JobState.ACTIVE))
    started = datetime.now(UTC)
    victim.send_signal(signal.SIGSTOP)
    # It alone serves the queue: whoever hands the job back is no worker of it.
    start("orders")

    await eventually(lambda: ("firing", "longest active", "settlement") in listener.notified())
    (notified,) = listener.got
    named = re.search(r"\(job (\S+) on worker (\S+) since ([^;)]+)", notified["text"])
    assert named is not None, notified["text"]
    assert named[1] == job.id
    assert named[2].endswith(f"-{victim.pid}")
    assert abs((datetime.fromisoformat(named[3]) - started).total_seconds()) < LEASE_SECONDS
    assert notified["action"] == "look for a dead worker"

    await eventually(lambda: _is(job, JobState.WAITING), within=25)
    await eventually(lambda: ("resolved", "longest active", "settlement") in listener.notified())
    assert len(listener.notified()) == 2
    assert (await job.refresh()).stalled_count == 1

    start("settlement")
    assert await job.wait_for_result(25) == "settled"
    victim.send_signal(signal.SIGCONT)
    assert (await job.refresh()).attempts_started == 2
    assert len(listener.notified()) == 2


async def _is(job: Job[None], state: JobState) -> bool:
    return await job.state() is state
