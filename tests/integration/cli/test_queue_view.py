"""`stockyard queue workers`, `metrics` and `events`, on a real server."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from stockyard import Topology
from tests.integration.cli.conftest import ROOT, SHOP, Run, Start
from tests.support.forked import Forked

release = Topology("release")
release.queue("orders", version=2, versions=(1, 2), priority=10, aging="30s")


@pytest.fixture
def follow(redis_url: str, prefix: str) -> Iterator[Any]:
    """Starts `queue events mail --follow` as a process of its own and returns its output."""
    started: list[subprocess.Popen[str]] = []

    def call(*arguments: str) -> Any:
        where = [f"--redis-url={redis_url}", f"--prefix={prefix}", f"--app={SHOP}"]
        command = [
            sys.executable,
            "-m",
            "stockyard.cli",
            "queue",
            "events",
            "mail",
            "--follow",
            *arguments,
            *where,
        ]
        process = Forked(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process.stdout

    yield call
    for process in started:
        process.kill()
        process.communicate()


def test_workers_are_listed(run: Run, start: Start) -> None:
    assert run("queue", "workers", "--json") == (0, "[]\n", "")
    worker = start(SHOP, "--queue=mail", "--queue=parcels")
    worker.wait_ready(2)
    listed = run("queue", "workers", "--json").json()
    assert isinstance(listed, list)
    assert [each["queue"] for each in listed] == ["mail", "parcels"]
    ((queue, *cells),) = _rows(run("queue", "workers", "mail").out)
    assert queue == "mail"
    assert cells[:2] == [listed[0]["name"], listed[0]["address"]]
    assert listed[0]["name"].endswith(f"-{worker.process.pid}")
    assert run("queue", "workers", "post").status == 2
    again = run("worker", "list", "--json").json()
    assert isinstance(again, list)
    # Times of two looks differ.
    times = dict.fromkeys(("age", "idle"))
    assert [each | times for each in again] == [each | times for each in listed]


def test_minutes_are_shown_newest_first(run: Run, raw: "redis.Redis", prefix: str) -> None:
    minute = 28_333_333
    for kind, count, minutes in (("completed", 9, [4, 0, 3]), ("failed", 1, [1])):
        key = f"{prefix}:mail:metrics:{kind}"
        facts: Any = {"count": count, "prevTS": minute * 60_000 + 5, "prevCount": sum(minutes)}
        raw.hset(key, mapping=facts)
        raw.rpush(f"{key}:data", *minutes)
    out = run("queue", "metrics", "mail").out
    rows = _rows(out)
    assert [(row[-2], row[-1]) for row in rows] == [("2", "0"), ("4", "1"), ("0", "0"), ("3", "0"), ("9", "1")]
    assert [row[1] for row in rows[:4]] == ["22:13:00.000Z", "22:12:00.000Z", "22:11:00.000Z", "22:10:00.000Z"]
    assert len(run("queue", "metrics", "mail", "--minutes=2").out.splitlines()) == len(out.splitlines()) - 2

    whole = run("queue", "metrics", "mail", "--json").json()
    assert isinstance(whole, dict)
    assert whole["completed"]["data"] == [4, 0, 3]
    assert 'bullmq_job_completed_total{queue="mail"} 9\n' in run("queue", "metrics", "mail", "--prometheus").out


def test_a_queue_that_counts_no_minutes_has_none(run: Run) -> None:
    assert _rows(run("queue", "metrics", "mail").out) == [["in", "all", "0", "0"]]


def test_the_latest_events_are_shown(run: Run, raw: "redis.Redis", prefix: str) -> None:
    run("job", "add", "mail", "welcome")
    run("job", "add", "mail", "welcome", "--delay=1h")
    raw.xadd(f"{prefix}:mail:events", {"event": "failed", "jobId": "9", "failedReason": "two\nlines"})
    raw.xadd(f"{prefix}:mail:events", {"event": "tick", "at": "noon"})
    lines = run("queue", "events", "mail", "--last=3").out.splitlines()
    assert [line.split()[2] for line in lines] == ["delayed", "failed", "tick"]
    assert lines[1].endswith('job_id=9  failed_reason="two\\nlines"')
    assert lines[2].endswith('name=tick  fields={"at":"noon"}')

    only = run("queue", "events", "mail", "--only=added", "--only=waiting", "--job=1", "--json").out.splitlines()
    assert [json.loads(line)["event"] for line in only] == ["added", "waiting"]
    wrong = run("queue", "events", "mail", "--only=complete")
    assert wrong.status == 2
    assert wrong.err.startswith("stockyard: no event is called 'complete'; did you mean 'completed'?")


def test_events_are_followed(run: Run, follow: Any) -> None:
    run("job", "add", "mail", "welcome")
    lines = follow("--json")
    before = [json.loads(lines.readline()) for _ in range(2)]
    run("job", "add", "mail", "bounce")
    since = [json.loads(lines.readline()) for _ in range(2)]
    assert [(each["event"], each["job_id"]) for each in before + since] == [
        ("added", "1"),
        ("waiting", "1"),
        ("added", "2"),
        ("waiting", "2"),
    ]
    assert since[0]["timestamp"] == int(since[0]["id"].split("-")[0])
    resumed = follow("--after", before[1]["id"])
    assert "name=bounce" in resumed.readline()


def _rows(table: str) -> list[list[str]]:
    """The cells of a table, its head and the line that names the App left out."""
    return [line.split() for line in table.splitlines() if line.strip()][3:]


def test_payload_versions_are_listed_with_what_is_left(run: Run, raw: "redis.Redis", prefix: str) -> None:
    app = f"{__name__}:release"
    assert run("queue", "versions", "--json", app=app).json() == {"orders": []}
    raw.hset(f"{prefix}:orders:stalled-check:versions", mapping={"1": "1700000000000", "2": "0"})
    raw.zadd(f"{prefix}:orders:stalled-check:version:2", {"7": 1, "8": 2})
    raw.zadd(f"{prefix}:orders:delayed", {"7": 1, "8": 2})
    for job_id in ("7", "8"):
        raw.hset(f"{prefix}:orders:{job_id}", "opts", '{"version":2}')
    none = {"waiting": 0, "delayed": 0, "active": 0, "waiting_children": 0, "moving": False}
    assert run("queue", "versions", "--json", app=app).json() == {
        "orders": [
            {
                "version": 1,
                "waiting": 0,
                "understood_at": 1_700_000_000_000,
                "jobs": {"version": 1, **none},
                "total": 0,
                "drained": True,
            },
            {
                "version": 2,
                "waiting": 2,
                "understood_at": 0,
                "jobs": {"version": 2, **none, "delayed": 2},
                "total": 2,
                "drained": False,
            },
        ]
    }
    shown_table = run("queue", "versions", "orders", app=app).out
    assert "never" in shown_table
    assert "none" in shown_table
    assert run("queue", "versions", "orders", "--drained", "1", app=app).status == 0
    left = run("queue", "versions", "orders", "--drained", "2", app=app)
    assert left.status == 1
    assert "jobs of version 2 are left in orders" in left.err
    shown = run("queue", "show", "orders", "--json", app=app).json()
    assert isinstance(shown, dict)
    assert (shown["version"], shown["versions"], shown["aging"]) == (2, "1, 2", "30s")


def test_a_canary_is_set_raised_and_ended(run: Run) -> None:
    app = f"{__name__}:release"
    assert run("queue", "canary", "orders", app=app).out == "orders has no canary\n"
    words = "orders: workers of version 2 run {} of the jobs of older versions\n"
    assert run("queue", "canary", "orders", "2", "5%", app=app).out == words.format("0.05")
    assert run("queue", "canary", "orders", "2", "0.25", app=app).out == words.format("0.25")
    assert words.format("0.25") in run("queue", "versions", "orders", app=app).out
    answer = run("queue", "canary", "orders", "--json", app=app).json()
    assert isinstance(answer, dict)
    assert (answer["canary"]["version"], answer["canary"]["share"]) == (2, 0.25)
    assert run("queue", "canary", "orders", "--clear", app=app).out == "orders has no canary\n"
    for wrong in (["2"], ["2", "much"], ["2", "101%"], ["0", "5%"], ["2", "5%", "--clear"]):
        assert run("queue", "canary", "orders", *wrong, app=app).status == 2
    # The App's other queue declares no version.
    assert "declares no version" in run("queue", "canary", "mail", "2", "5%").err
