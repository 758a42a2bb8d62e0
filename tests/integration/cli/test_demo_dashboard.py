"""`stockyard demo --dashboard`: the platform at work, watched in a browser, until Ctrl-C."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import redis

from stockyard.cli import main
from stockyard.trading.demo.market import history
from tests.integration.cli.conftest import ROOT
from tests.support.forked import Forked
from tests.support.program import Program
from tests.support.waiting import eventually, wait_until

_CHUNK = 100


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
async def test_the_demo_goes_on_beside_its_dashboard_until_it_is_ended(
    redis_url: str, raw: "redis.Redis", ending: signal.Signals
) -> None:
    command = "demo --dashboard --listen=0 --symbols=FB --speed=2000".split()
    with Forked(
        [sys.executable, "-m", "stockyard.cli", *command, f"--redis-url={redis_url}"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "STOCKYARD_DASHBOARD_TOKEN": "", "STOCKYARD_DASHBOARD_READ_TOKEN": ""},
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        while line and not line.startswith("dashboard at "):
            line = process.stdout.readline()
        assert line, process.stderr and process.stderr.read()
        address = line.partition("dashboard at ")[2].strip()
        # The candles of a second pass are there.
        second = len(history("FB")) // _CHUNK + 1

        async def is_replayed_again() -> bool:
            page = await client.get(f"{address}job?queue=exchange:candle_ingestion&id=candles-FB-{second}")
            return page.status_code == 200

        async with httpx.AsyncClient(timeout=30) as client:
            await eventually(is_replayed_again, within=60)
            assert "backtest-again" in (await client.get(f"{address}schedules")).text
        process.send_signal(ending)
        shown, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "the worker processes and the keys are gone" in shown
    assert "Traceback" not in errors
    assert not list(raw.scan_iter(match="bull-demo-*"))


def test_a_demo_in_the_background_leaves_nothing_behind_after_sigterm(redis_url: str, raw: "redis.Redis") -> None:
    """A shell starts what it runs in the background with Ctrl-C ignored."""
    with Program(
        [sys.executable, "-m", "stockyard.cli", "demo", "--speed=5", "--symbols=FB", f"--redis-url={redis_url}"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_ignore_interrupts,
    ) as process:
        wait_until(lambda: len(_children(process.pid)) >= 2 and bool(list(raw.scan_iter(match="bull-demo-*"))))
        children = _children(process.pid)
        process.send_signal(signal.SIGTERM)
        shown, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert "the worker processes and the keys are gone" in shown
    assert "Traceback" not in errors
    assert not list(raw.scan_iter(match="bull-demo-*"))
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _children(pid: int) -> list[str]:
    return [child for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]


def test_the_address_of_no_dashboard_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--listen=8400"]) == 2
    assert "give --dashboard, too" in capsys.readouterr().err
