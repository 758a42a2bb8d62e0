"""`stockyard alerts`, on a real server."""

import asyncio
import subprocess
import sys

import msgspec
import pytest

from stockyard import App
from stockyard.observe.alerts.settings import AlertSettings
from tests.integration.cli.conftest import ROOT, SHOP, Run
from tests.integration.cli.shop import shop
from tests.support.forked import Forked


def test_what_fires_is_listed_and_can_be_silenced(run: Run, redis_url: str, prefix: str) -> None:
    async def watch() -> None:
        async with App(shop, redis=redis_url, prefix=prefix) as app:
            await app.queue("mail").add_many([("welcome", {"name": str(n)}) for n in range(3)])
            await app.alert_monitor(
                AlertSettings.load({"STOCKYARD_ALERT_NO_WORKER": "0s"}, dotenv=None)
            ).check_once()

    asyncio.run(watch())
    listed = run("alerts", "list", "--json").json()
    assert isinstance(listed, list)
    assert [(each["rule"], each["subject"], each["status"], each["value"]) for each in listed] == [
        ("waiting without a worker", "mail", "firing", 3)
    ]
    assert "start a worker" in run("alerts", "list").out
    assert "FIRING" in run("alerts", "list", "--history", "5").out
    assert "is silenced until" in run("alerts", "silence", "*", "mail", "--for", "2h", "--reason", "quiet").out
    assert "quiet" in run("alerts", "list", "--silences").out
    assert run("alerts", "silence", "*", "mail", "--end").out == "the silence is over\n"
    ended = run("alerts", "silence", "*", "mail", "--end")
    assert (ended.status, ended.out) == (1, "there was no such silence\n")


def test_everything_is_silenced_only_when_asked_for(run: Run) -> None:
    for arguments in ([], ["--end"], ["--for", "2h"]):
        unasked = run("alerts", "silence", *arguments)
        assert (unasked.status, unasked.out) == (2, "")
        assert "name what to silence: RULE, RULE QUEUE, '*' QUEUE for a queue, or --all" in unasked.err
    both = run("alerts", "silence", "memory", "--all")
    assert both.status == 2
    assert "give it without a rule and a queue" in both.err
    assert run("alerts", "list", "--silences", "--json").json() == []
    assert "is silenced until" in run("alerts", "silence", "--all").out
    assert run("alerts", "silence", "--all", "--end").out == "the silence is over\n"


def test_what_is_not_there_cannot_be_silenced(run: Run) -> None:
    rule = run("alerts", "silence", "wating", "--for", "90")
    queue = run("alerts", "silence", "waiting", "mial")
    assert (rule.status, queue.status) == (2, 2)
    assert "no rule is called 'wating'; did you mean 'waiting'?" in rule.err
    assert "unknown queue 'mial'" in queue.err
    assert run("alerts", "silence", "memory", "server", "--for", "90").status == 0
    held = run("alerts", "list", "--silences", "--json").json()
    assert isinstance(held, list)
    assert [(each["rule"], each["subject"]) for each in held] == [("memory", "server")]


def test_a_history_of_less_than_nothing_is_refused(run: Run) -> None:
    assert run("alerts", "list", "--history=-1").status == 2


def test_who_watches_says_so_and_logs_what_begins_and_ends(
    run: Run, redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("NO_WORKER", "0s"), ("INTERVAL", "100ms")):
        monkeypatch.setenv(f"STOCKYARD_ALERT_{name}", value)
    where = [f"--redis-url={redis_url}", f"--prefix={prefix}", f"--app={SHOP}"]
    command = [sys.executable, "-m", "stockyard.cli", "alerts", "watch", "--log-format=json", *where]
    with Forked[bytes](command, cwd=ROOT, stderr=subprocess.PIPE) as watching:
        assert watching.stderr
        try:
            assert b"watching shop every 0.1 s; notifying by log" in watching.stderr.readline()
            run("job", "add", "mail", "welcome", '{"name": "Ada"}')
            fires = msgspec.json.decode(watching.stderr.readline())
            run("queue", "pause", "mail")
            ends = msgspec.json.decode(watching.stderr.readline())
        finally:
            watching.terminate()
    assert (fires["level"], ends["level"]) == ("ERROR", "INFO")
    assert ends["message"].startswith("[RESOLVED] mail: waiting without a worker")
    assert watching.returncode == 0


def test_a_test_notification_says_who_could_not_be_told(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from stockyard.cli import main

    monkeypatch.setenv("STOCKYARD_ALERT_WEBHOOK", "http://127.0.0.1:9/s3cret")
    assert main(["alerts", "test"]) == 1
    out, err = capsys.readouterr()
    assert "notified by log" in out
    assert "not notified by webhook 127.0.0.1" in err
    assert "s3cret" not in out + err
