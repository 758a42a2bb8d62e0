"""The platform's main job holds its invariants, with failures and without, and tells when one does not hold."""

import json

import pytest
import redis

from stockyard import InvalidOption
from stockyard.trading import QueueName
from stockyard.trading.demo import DemoOptions, run_demo
from stockyard.trading.demo.desk import Desk


def test_a_replay_holds_and_leaves_nothing_behind(
    redis_url: str, raw: "redis.Redis", capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_demo(DemoOptions(symbols=("FB",), redis_url=redis_url)) == 0
    shown, _ = capsys.readouterr()
    assert "MISMATCH" not in shown
    assert "7 orders for 7 signals" in shown
    assert all(queue in shown for queue in QueueName)
    assert not list(raw.scan_iter(match="bull-demo-*"))


@pytest.mark.long
def test_a_replay_holds_through_failures(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    assert run_demo(DemoOptions(symbols=("GOOG",), inject_failures=True, json=True)) == 0
    shown, progress = capsys.readouterr()
    report = json.loads(shown)
    assert report["ok"]
    queues = {queue["name"]: queue for queue in report["queues"]}
    assert list(queues) == list(QueueName)
    assert queues["portfolio:high_priority"]["retried"] > 10
    assert queues["portfolio:low_priority"]["processed"] > 10
    assert any("price updates were replaced by newer ones" in note for note in report["notes"])
    assert queues["backtest:jobs"]["retried"] >= 2
    assert len(report["backtests"]) == 28
    assert "killed by SIGKILL" in progress
    assert any(check["name"] == "a frozen and a killed worker's jobs ran again" for check in report["checks"])


def test_a_mismatch_makes_the_status_non_zero(
    redis_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgets_one(desk: Desk) -> list[tuple[str, str, str]]:
        return signals(desk)[1:]

    signals = Desk.signals
    monkeypatch.setattr(Desk, "signals", forgets_one)
    assert run_demo(DemoOptions(symbols=("FB",), redis_url=redis_url)) == 1
    shown, _ = capsys.readouterr()
    assert "MISMATCH  signals complete and in each symbol's order: 6 signals" in shown
    assert "MISMATCH  one order per signal: 7 orders for 6 signals" in shown
    assert "ok        positions equal the exchange's book: 7 of 7 fills applied" in shown


@pytest.mark.long
def test_a_replay_holds_on_a_cluster_that_loses_a_primary(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    assert run_demo(DemoOptions(symbols=("FB",), cluster=3, json=True)) == 0
    shown, progress = capsys.readouterr()
    assert json.loads(shown)["ok"]
    assert "killed the primary at 127.0.0.1:" in progress


@pytest.mark.parametrize("cluster", [1, 2, 17, -3])
def test_a_cluster_of_a_size_that_cannot_be_is_refused(cluster: int) -> None:
    with pytest.raises(InvalidOption, match=f"from 3 to 16 primaries here; got {cluster}"):
        DemoOptions(cluster=cluster)


def test_a_cluster_and_a_server_exclude_each_other() -> None:
    with pytest.raises(InvalidOption, match="give either cluster or a server"):
        DemoOptions(cluster=3, redis_url="redis://h")
