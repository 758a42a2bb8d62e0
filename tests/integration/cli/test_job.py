"""`stockyard job`, `queue counts` and `health`, on a real server."""

import asyncio
import io
from pathlib import Path

import pytest

from stockyard import App
from stockyard.trading import PLATFORM, QueueName
from tests.integration.cli.conftest import Run, Start
from tests.integration.cli.shop import shop


def test_a_job_is_added_shown_and_removed(run: Run) -> None:
    added = run(
        "job", "add", "mail", "welcome", '{"name": "Ada"}', "--id", "first", "--priority", "3", "--delay", "1h"
    )
    assert added == (0, "first\n", "")

    shown = run("job", "show", "mail", "first", "--json").json()
    assert isinstance(shown, dict)
    assert shown["state"] == "delayed"
    assert (shown["name"], shown["data"], shown["priority"], shown["delay_ms"]) == (
        "welcome",
        {"name": "Ada"},
        3,
        3_600_000,
    )
    assert shown["ahead"] is None
    assert 3590 < shown["starts_in"] <= 3600
    assert '{"name":"Ada"}' in run("job", "show", "mail", "first").out
    for name in ("second", "third"):
        run("job", "add", "mail", "welcome", '{"name": "Bob"}', f"--id={name}")
    assert run("job", "show", "mail", "third", "--json").json()["ahead"] == 1  # type: ignore[index]
    assert "about 60m" in run("job", "show", "mail", "first").out

    assert run("job", "remove", "mail", "first").status == 0
    gone = run("job", "show", "mail", "first")
    assert (gone.status, gone.err) == (2, "stockyard: queue 'mail' has no job 'first'\n")


def test_the_payload_may_come_from_a_file(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"name": "Bob"}'))
    added = run("job", "add", "mail", "welcome", "@-", "--json").json()
    assert added == {"queue": "mail", "id": "1", "name": "welcome"}
    (tmp_path / "eve.json").write_text('{"name": "Eve"}')
    assert run("job", "add", "mail", "welcome", f"@{tmp_path}/eve.json").status == 0
    listed = run("job", "list", "mail", "waiting", "--oldest-first", "--json").json()
    assert isinstance(listed, list)
    assert [each["data"] for each in listed] == [{"name": "Bob"}, {"name": "Eve"}]
    assert "cannot be read" in run("job", "add", "mail", "welcome", f"@{tmp_path}/adam.json").err


def test_a_wrong_option_adds_nothing(run: Run) -> None:
    said = run("job", "add", "mail", "welcome", "--priority", "-1")
    assert said.status == 2
    assert "priority must be a whole number from 0" in said.err
    assert run("queue", "counts", "mail", "--json").json() == {"mail": dict.fromkeys(_STATES, 0)}


def test_the_result_is_waited_for_and_the_log_read(run: Run, start: Start) -> None:
    start("tests.integration.cli.shop:shop", "--queue=mail").wait_ready()
    done = run("job", "add", "mail", "welcome", '{"name": "Ada"}', "--wait", "10s")
    assert done.status == 0
    assert int(done.out) > 0
    assert run("job", "logs", "mail", "1").out == "welcome, Ada\n"

    failed = run("job", "add", "mail", "bounce", "--wait", "10s")
    assert failed == (1, "", "stockyard: job 2 failed: ValueError: no such address\n")
    shown = run("job", "show", "mail", "2")
    assert "ValueError: no such address" in shown.out
    assert "no such address" in run("job", "list", "mail").out

    late = run("job", "add", "mail", "welcome", '{"seconds": 30}', "--wait", "10ms")
    assert late.status == 1
    assert "did not end within" in late.err


def test_a_failed_job_is_put_back(run: Run, start: Start) -> None:
    worker = start("tests.integration.cli.shop:shop", "--queue", "mail")
    worker.wait_ready()
    assert run("job", "add", "mail", "bounce", "--wait", "10s").status == 1
    worker.process.terminate()
    assert worker.process.wait(60) == 0

    assert run("job", "retry", "mail", "1").status == 0
    counted = run("queue", "counts", "mail", "--json").json()
    assert counted == {"mail": dict.fromkeys(_STATES, 0) | {"waiting": 1}}
    again = run("job", "retry", "mail", "1")
    assert (again.status, again.err) == (2, "stockyard: job 1 of queue 'mail' is waiting, and not failed\n")


def test_health_is_the_exit_status(run: Run, redis_url: str, prefix: str) -> None:
    healthy = run("health", app=None)
    assert (healthy.status, healthy.err) == (0, "")
    assert all(name in healthy.out for name in QueueName)

    async def fill() -> None:
        async with App(PLATFORM, redis_url, prefix=prefix) as app:
            await app.queue(QueueName.PORTFOLIO_HIGH_PRIORITY).add_many([("query", {})] * 101)

    asyncio.run(fill())
    said = run("health", app=None)
    assert said.status == 1
    alert, pending = said.err.splitlines()
    assert alert == "ALERT  portfolio:high_priority: waiting is 101, more than 100: scale workers"
    assert pending.startswith("PENDING  portfolio:high_priority: waiting without a worker is 101")
    told = run("health", "portfolio:high_priority", "--json", app=None)
    assert told.status == 1
    assert isinstance(answer := told.json(), dict)
    assert [(each["queue"], each["value"]) for each in answer["alerts"]] == [("portfolio:high_priority", 101)]
    assert [each["waiting"] for each in answer["queues"]] == [101]
    assert run("health", "strategy:signals", app=None).status == 0


def test_another_application_has_its_own_queues(run: Run) -> None:
    assert isinstance(answer := run("health", "--json").json(), dict)
    assert [each["name"] for each in answer["queues"]] == list(shop.names)


def test_an_unreachable_server_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCKYARD_CALL_TIMEOUT", "0.2")
    said = run("queue", "counts", redis_url="redis://:secret@127.0.0.1:1/0")
    assert said.status == 2
    assert said.err.startswith("stockyard: no server at redis://:***@127.0.0.1:1/0")
    assert said.err.count("\n") == 1
    assert "secret" not in said.err


_STATES = ("waiting", "prioritized", "active", "delayed", "waiting-children", "completed", "failed")
