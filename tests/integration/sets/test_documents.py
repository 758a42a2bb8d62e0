"""What the README and the main pages show runs on a cluster and under Sentinel, by the address alone."""

import os
import subprocess
import sys

import pytest

from tests.support.documents import ROOT, blocks, run_program
from tests.support.forked import Forked
from tests.support.sets import ServerSet
from tests.support.warm import WarmPython

PAGES = (
    "README.md",
    "docs/operations/administration.md",
    "docs/reference/cache.md",
    "docs/reference/deduplication.md",
    "docs/reference/events.md",
    "docs/reference/handlers.md",
    "docs/howto/cluster.md",
    "docs/reference/jobs.md",
    "docs/reference/channels.md",
    "docs/reference/schedules.md",
)
BLOCKS = [block for page in PAGES for block in blocks(ROOT / page)]
FLOWS = blocks(ROOT / "docs" / "reference" / "flows.md")
"""Across families: on a cluster they need ``slots="one"``."""


@pytest.fixture(params=["cluster", "sentinel"])
def url(request: pytest.FixtureRequest) -> str:
    servers: ServerSet = request.getfixturevalue(f"{request.param}_set")
    return servers.url


def test_every_block_runs(url: str, warm_python: WarmPython) -> None:
    assert len(BLOCKS) >= 20
    flows = FLOWS if "sentinel" in url else []
    # In one process: most of the time of each would be its start.
    own = {"REDIS_URL": url, "STOCKYARD_PREFIX": "docs"}
    warm_python.run(ROOT, {**os.environ, **own}, blocks=[*BLOCKS, *flows])


def test_the_commands_of_the_readme_run(url: str) -> None:
    stockyard = [sys.executable, "-m", "stockyard.cli"]
    worker = [*stockyard, "worker", "examples.shop:shop", "--redis-url", url]
    with Forked(worker, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as working:
        job = ["job", "add", "mail", "welcome", '{"to": "ada@example.org"}', "--app", "examples.shop:shop"]
        added = run_program(["-m", "stockyard.cli", *job, "--wait", "20s"], REDIS_URL=url)
        working.terminate()
        _, log = working.communicate(timeout=30)
    assert "welcomed ada@example.org" in added
    assert working.returncode == 0, log
