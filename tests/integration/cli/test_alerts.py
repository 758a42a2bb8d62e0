"""`stockyard alerts`, on a real server."""

import asyncio

import pytest

from stockyard import App
from stockyard.observe.alert_settings import AlertSettings
from tests.integration.cli.conftest import Run
from tests.integration.cli.shop import shop


def test_what_fires_is_listed_and_can_be_silenced(run: Run, redis_url: str, prefix: str) -> None:
    async def watch() -> None:
        async with App(shop, redis=redis_url, prefix=prefix) as app:
            await app.queue("mail").add_many([("welcome", {"name": str(n)}) for n in range(3)])
            await app.watcher(AlertSettings.load({"STOCKYARD_ALERT_NO_WORKER": "0s"}, dotenv=None)).watch()

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
    assert run("alerts", "silence", "*", "mail", "--end").out == "there was no such silence\n"


def test_a_test_notification_says_who_could_not_be_told(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from stockyard.cli import main

    monkeypatch.setenv("STOCKYARD_ALERT_WEBHOOK", "http://127.0.0.1:9/s3cret")
    assert main(["alerts", "test"]) == 1
    out, err = capsys.readouterr()
    assert "told by log" in out
    assert "not told by webhook 127.0.0.1" in err
    assert "s3cret" not in out + err
