"""The examples run as a newcomer runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_queue_usage_uses_every_queue() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    done = subprocess.run(
        [sys.executable, EXAMPLES / "queue_usage.py"], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert [line.partition(", attempt ")[2] for line in done.stderr.splitlines()] == [
        "1 of 5 failed and is retried in 0.05 s: ConnectionError: the exchange hung up",
        "1 of 3 failed: there are no candles of NOSUCH",
    ]
    told = done.stdout
    assert told.index("answering user-123") < told.index("moved by fill-456")
    assert "same job: True  result: acknowledged at attempt 2 of 5" in told
    assert "failed without a retry: there are no candles of NOSUCH" in told
    assert "result: 8955050  progress: {'percent': 50}" in told
    assert "planned for later: 1" in told
    assert "alerts: none" in told


def test_risk_approvals_are_asked_for_once_until_they_are_revoked(tmp_path: Path) -> None:
    assert run_example("risk_approvals.py", tmp_path) == [
        "the risk service is asked about 2 BTCUSDT of A1",
        "50 asked at once: 50 approved",
        "the risk service is asked about 9 BTCUSDT of A1",
        "a larger order: more than 5",
        "the first again: True",
        "revoked",
        "the risk service is asked about 2 BTCUSDT of A1",
    ]


def test_prices_are_told_to_every_screen(tmp_path: Path) -> None:
    assert run_example("price_updates.py", tmp_path) == [
        "BTCUSDT 64,000.5",
        "ETHUSDT 3,100.0",
        "BTCUSDT 64,001.0",
        "a slow screen showed some of 1,000 prices, and knows how many it missed",
    ]


def test_the_ledger_is_told_of_every_order_s_end(tmp_path: Path) -> None:
    assert run_example("order_events.py", tmp_path, logs="ValueError: 30 is more than the account may") == [
        "refused: ValueError: 30 is more than the account may",
        "booked: accepted A1-1",
        "booked: accepted A1-2",
    ]


def test_signals_of_one_symbol_run_in_order(tmp_path: Path) -> None:
    lines = run_example("ordered_signals.py", tmp_path, logs="ValueError: NOSUCH is not traded")
    assert lines == [
        "BTCUSDT: buy, hold, sell",
        "ETHUSDT: buy, hold, sell",
        "NOSUCH is parked, 2 wait behind it: ValueError: NOSUCH is not traded",
        "keys with jobs: 0",
    ]


def test_orders_and_their_jobs_are_committed_together(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy", reason="the example needs the extra outbox: `make install`")
    answers = run_example("outbox_orders.py", tmp_path)
    assert answers[0] == "refused A2: neither the order nor its job is stored"
    assert sorted(answers[1:3]) == ["filled A1", "filled A3"]
    assert answers[3:] == ["orders A1, A3; fills A1, A3; runs 3"]


def test_ticks_are_stored_in_batches_and_a_bad_one_fails_alone(tmp_path: Path) -> None:
    assert run_example("tick_store.py", tmp_path, logs="ValueError: ETHUSDT has no price") == [
        "ValueError: ETHUSDT has no price",
        "1,000 ticks stored, by fewer than 50 inserts: True",
    ]


def test_a_desk_works_on_the_present(tmp_path: Path) -> None:
    assert run_example("fresh_prices.py", tmp_path) == [
        "3 news wait, and no more",
        "BTCUSDT 64,998 in place of 499 older prices",
        "ETHUSDT 64,999 in place of 499 older prices",
        "the quote has expired",
    ]


def test_a_venue_that_is_away_and_an_account_that_is_halted(tmp_path: Path) -> None:
    reason = "2 failures within 30 s, the last: ConnectionError: the venue is away"
    assert run_example("kill_switch.py", tmp_path, logs=None) == [
        f"halted by the circuit breaker: {reason}",
        "placed A0",
        "placed A1",
        "placed A2",
        "placed B0",
        "A3 is placed: False",
        "placed A3",
        "['halt', 'resume']",
    ]


def run_example(name: str, data: Path, logs: str | None = "") -> list[str]:
    """Run an example on its own server; return what it printed. It logs one line that ends so, or none; or any."""
    environment = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    done = subprocess.run(
        [sys.executable, EXAMPLES / name],
        env={**environment, "XDG_DATA_HOME": str(data)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    if logs is not None:
        assert len(done.stderr.splitlines()) == bool(logs)
        assert done.stderr.rstrip().endswith(logs)
    return done.stdout.splitlines()
