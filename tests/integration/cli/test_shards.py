"""The command on a queue with shards: one queue."""

import re
from functools import partial
from typing import Any

from stockyard.model.sharding import shards_of
from tests.integration.cli.conftest import Run, Said

MARKET = "tests.integration.cli.market:market"
QUEUE = "market:ticks"


def read(said: Said) -> Any:
    """What the command printed as JSON."""
    return said.json()


def test_a_queue_tells_how_node_spells_each_shard(run: Run, prefix: str) -> None:
    shown = run("queue", "show", QUEUE, app=MARKET)
    assert re.search(r"^shards +2$", shown.out, re.M)
    for shard in shards_of(QUEUE, 2):
        spelling = f"new Queue('ticks', {{prefix: '{prefix}:{{market-{shard.tag}}}'}})"
        assert spelling in shown.out
        assert read(run("queue", "show", QUEUE, "--json", app=MARKET))["node"][shard.tag] == spelling


def test_jobs_of_all_shards_are_one_queue(run: Run) -> None:
    run = partial(run, app=MARKET)
    ids = [run("job", "add", QUEUE, "x", f'"{key}"', "--key", key).out.strip() for key in "abcdef"]
    assert {job_id.partition("@")[2] for job_id in ids} == {shard.tag for shard in shards_of(QUEUE, 2)}
    assert read(run("job", "show", QUEUE, ids[3], "--json"))["data"] == "d"
    listed = read(run("job", "list", QUEUE, "waiting", "--json"))
    assert {job["id"] for job in listed} == set(ids)
    assert run("job", "remove", QUEUE, ids[0]).status == 0
    assert run("queue", "pause", QUEUE).status == 0
    counts = read(run("queue", "counts", QUEUE, "--json"))
    assert counts[QUEUE]["waiting"] == 5
    assert run("queue", "drain", QUEUE, "--yes").out == "5 jobs removed\n"
    assert run("queue", "events", QUEUE, "--last", "3", "--json").status == 0
    refused = run("queue", "limit", QUEUE, "--rate", "10/s")
    assert refused.status == 2
    assert "has 2 shards, and each would count its own jobs" in refused.err
    assert run("queue", "obliterate", QUEUE, "--yes").status == 0
