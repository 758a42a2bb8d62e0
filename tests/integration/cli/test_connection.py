"""Which App and which server a command shows, and that it says so."""

from pathlib import Path

import pytest

from stockyard.cli import main
from tests.integration.cli.conftest import SHOP, Run

DESK = "tests.integration.cli.shop:desk"


def test_the_app_comes_from_the_option_the_environment_or_the_env_file(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run("queue", "list", app=None).out.startswith("trading  stockyard.trading:PLATFORM\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"STOCKYARD_APP={SHOP}\n")
    assert run("queue", "list", app=None).out.startswith(f"shop  {SHOP}\n")
    monkeypatch.setenv("STOCKYARD_APP", DESK)
    assert run("queue", "list", app=None).out.startswith(f"desk  {DESK}\n")
    assert run("queue", "list", app=SHOP).out.startswith(f"shop  {SHOP}\n")


def test_a_queue_that_only_another_app_has_says_how_to_name_that_app(run: Run) -> None:
    # Without --app, commands show the trading platform: a newcomer's first queue is none of its.
    missed = run("queue", "counts", "mail", app=None)
    assert missed.status == 2
    assert "unknown queue 'mail'" in missed.err
    assert "queues of the trading platform: name your App by --app MODULE:ATTR" in missed.err
    assert "STOCKYARD_APP" in missed.err
    assert "trading platform" not in run("queue", "counts", "orders").err


@pytest.mark.parametrize(
    "command",
    ["health", "alerts list", "alerts list --silences", "alerts list --history=5", "queue counts", "queue workers",
     "schedule list", "job list mail failed", "cache stats", "doctor", "queue metrics mail", "queue show mail"],
)  # fmt: skip
def test_every_table_begins_with_the_app_and_its_server(run: Run, prefix: str, command: str) -> None:
    first = run(*command.split()).out.splitlines()[0]
    assert first.startswith(f"shop  {SHOP}")
    if command != "queue show mail":
        assert first.endswith(f"prefix {prefix}")
        assert "unix://" in first or "redis://" in first


def test_a_frame_of_top_names_the_app(run: Run) -> None:
    assert run("top", "--once").out.splitlines()[0].startswith("shop  ")


def test_an_app_of_the_environment_that_is_none_is_refused_by_its_name(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOCKYARD_APP", "tests.integration.cli.shop:not_a_target")
    said = run("health", app=None)
    assert (said.status, "STOCKYARD_APP expects an App or a Topology" in said.err) == (2, True)


def test_health_knows_all_rules_and_the_thresholds_of_the_environment(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        run("job", "add", "mail", "welcome")
    assert run("health").status == 0
    monkeypatch.setenv("STOCKYARD_ALERT_OLDEST_WAITING", "0s")
    said = run("health")
    assert said.status == 1
    assert "ALERT  mail: oldest waiting is " in said.err
    assert "PENDING  mail: waiting without a worker is 4" in said.err
    assert "mail" not in run("health", "parcels").err
    monkeypatch.setenv("STOCKYARD_ALERT_NO_WORKER", "0s")
    assert "ALERT  mail: waiting without a worker is 4" in run("health").err


def test_the_alerts_of_another_app_are_not_shown_and_the_table_says_whose_it_shows(run: Run) -> None:
    assert run("alerts", "silence", "memory", "server").status == 0
    assert "memory" in run("alerts", "list", "--silences").out
    other = run("alerts", "list", "--silences", app=DESK).out
    assert other.startswith(f"desk  {DESK}")
    assert "memory" not in other


def test_a_test_notification_names_the_app_and_its_server(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    said = run("alerts", "test")
    assert (said.status, said.out) == (0, "notified by log\n")
    assert f"a test of the alerts of shop  {SHOP}" in caplog.text


def test_server_status_looks_at_the_url_it_is_given(
    redis_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["server", "status", f"--redis-url={redis_url}"]) == 0
    assert redis_url.partition("?")[0] in capsys.readouterr().out
    gone = "redis://:s3cret@127.0.0.1:1/0"
    assert main(["server", "status", f"--redis-url={gone}"]) == 1
    shown = capsys.readouterr().out
    assert "127.0.0.1:1" in shown
    assert "s3cret" not in shown
    monkeypatch.setenv("REDIS_URL", gone)
    assert main(["server", "status"]) == 1
    assert "127.0.0.1:1" in capsys.readouterr().out
    assert main(["server", "status", "--data=/tmp/x", f"--redis-url={gone}"]) == 2
