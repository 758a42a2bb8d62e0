"""`stockyard demo --dashboard`: the platform at work, watched in a browser, until Ctrl-C."""

import os
import signal
import subprocess
import sys

import httpx
import pytest
import redis

from stockyard.cli import main
from stockyard.trading.demo.market import history
from tests.integration.cli.conftest import ROOT
from tests.support.program import Program
from tests.support.waiting import eventually

_CHUNK = 100


async def test_the_demo_goes_on_beside_its_dashboard_until_ctrl_c(redis_url: str, raw: "redis.Redis") -> None:
    command = "demo --dashboard --listen=0 --symbols=FB --speed=2000".split()
    with Program(
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
        process.send_signal(signal.SIGINT)
        shown, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "the worker processes and the keys are gone" in shown
    assert "Traceback" not in errors
    assert not list(raw.scan_iter(match="bull-demo-*"))


def test_the_address_of_no_dashboard_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--listen=8400"]) == 2
    assert "give --dashboard, too" in capsys.readouterr().err
