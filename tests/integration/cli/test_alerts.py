"""`stockyard alerts` and `stockyard doctor`, on a real server."""

import asyncio
from collections.abc import Callable

import pytest

from stockyard import App
from stockyard.observe.alert_settings import AlertSettings
from tests.integration.cli.conftest import Run
from tests.integration.cli.shop import shop
from tests.support.servers import OwnServer


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


def test_the_doctor_finds_a_good_server_well(run: Run, make_server: Callable[..., OwnServer]) -> None:
    server = make_server(options={"maxmemory": "1gb"})
    said = run("doctor", "--json", redis_url=server.url)
    assert said.status == 0
    findings = said.json()
    assert isinstance(findings, list)
    assert {each["severity"] for each in findings} == {"ok"}
    assert len(findings) == 10


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "volatile-lru", "volatile-ttl"])
def test_the_doctor_calls_every_evicting_policy_a_danger(
    run: Run, make_server: Callable[..., OwnServer], policy: str
) -> None:
    server = make_server(options={"maxmemory": "1gb", "maxmemory-policy": policy})
    said = run("doctor", redis_url=server.url)
    assert said.status == 1
    assert f"maxmemory-policy is {policy}" in said.out
    assert "CONFIG SET maxmemory-policy noeviction" in said.out


def test_a_server_that_tells_nothing_is_not_called_safe(run: Run, make_server: Callable[..., OwnServer]) -> None:
    server = make_server(port=True)
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "shy", "on", ">shy", "~*", "+@all", "-info")
    url = server.url.replace("redis://", "redis://shy:shy@")
    said = run("doctor", "--json", redis_url=url)
    findings = said.json()
    assert isinstance(findings, list)
    assert {each["check"] for each in findings if each["severity"] == "warning"} >= {"eviction policy", "memory"}
    assert all("STOCKYARD_TRUST_SERVER=1" in each["remedy"] for each in findings if each["check"] == "memory")
