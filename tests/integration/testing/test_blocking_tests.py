"""Tests without a loop of their own use the same App and the same functions."""

from typing import Any

import pytest

from stockyard import App, Job, Topology
from stockyard.errors import BlockingCallRefused
from stockyard.testing import assert_enqueued, drain, run_sync


def test_a_plain_test_adds_runs_and_asserts(stockyard_topology: Topology, stockyard_app: App) -> None:
    spec = stockyard_topology.queue("mail")

    @spec.handler("welcome")
    def welcome(job: Job[str]) -> str:
        return f"sent to {job.data}"

    queue = stockyard_app.queue("mail")
    queue.sync.add("welcome", "a")
    run_sync(stockyard_app, assert_enqueued(queue, "welcome", "a"))
    (job,) = run_sync(stockyard_app, drain(stockyard_app)).completed
    assert job.return_value == "sent to a"


async def test_a_running_loop_is_refused(stockyard_topology: Topology, stockyard_app: App) -> None:
    async def answer() -> Any:
        return 1

    with pytest.raises(BlockingCallRefused):
        run_sync(stockyard_app, answer())
