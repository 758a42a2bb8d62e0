"""`stockyard dashboard`: where it listens, who may come, and that it stops while pages are watched."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from stockyard.cli import main
from tests.integration.cli.conftest import ROOT, SHOP
from tests.support.forked import Forked


@contextmanager
def running(
    redis_url: str, prefix: str, *arguments: str, **environment: str
) -> Iterator[tuple[str, "Forked[str]"]]:
    """Run the command; return the address that it prints."""
    where = [f"--redis-url={redis_url}", f"--prefix={prefix}", f"--app={SHOP}", "--listen=0"]
    with Forked(
        [sys.executable, "-m", "stockyard.cli", "dashboard", *where, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        while line and "dashboard at " not in line:
            line = process.stdout.readline()
        assert line, process.stderr and process.stderr.read()
        try:
            yield line.partition("dashboard at ")[2].strip(), process
        finally:
            process.kill()


def test_it_serves_this_machine_and_stops_while_it_is_watched(redis_url: str, prefix: str) -> None:
    with running(redis_url, prefix, "--base-path=/ops", "--read-only") as (address, process):
        assert address.endswith("/ops/")
        reply = httpx.get(address)
        assert reply.status_code == 200
        assert "You may look, and change nothing." in reply.text
        assert httpx.get(address, headers={"host": "evil.example"}).status_code == 421
        with httpx.stream("GET", f"{address}stream/overview", timeout=30) as stream:
            lines = stream.iter_lines()
            assert any("fragment" in line for line in lines)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            for _ in lines:
                pass
        errors = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert time.monotonic() - began < 20


def test_a_token_of_the_environment_is_asked_for(redis_url: str, prefix: str) -> None:
    token = "a-token-of-sixteen-or-more"
    with running(redis_url, prefix, STOCKYARD_DASHBOARD_TOKEN=token) as (address, _), httpx.Client() as client:
        reply = client.get(address)
        assert (reply.status_code, reply.headers["location"]) == (303, "/sign-in?back=%2F")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--listen=0.0.0.0:8400"], "set STOCKYARD_DASHBOARD_TOKEN"),
        (["--listen=there"], "expected [HOST:]PORT"),
        (["--base-path=ops"], "--base-path must begin with '/'"),
    ],
)
def test_a_mistake_is_one_message(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dashboard", *arguments]) == 2
    assert complaint in capsys.readouterr().err
