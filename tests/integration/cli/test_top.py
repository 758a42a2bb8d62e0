"""`stockyard top`, on a real server: once, on a pipe, on a terminal."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
import redis

from tests.integration.cli.conftest import ROOT, SHOP, Run, Start
from tests.support.forked import Forked
from tests.support.servers import OwnServer
from tests.support.waiting import wait_until

Top = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def top(redis_url: str, prefix: str) -> Iterator[Top]:
    """Starts `stockyard top` as a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def call(*arguments: str, redis_url: str = redis_url, **streams: Any) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "stockyard.cli", "top", *arguments]
        where = [f"--redis-url={redis_url}", f"--prefix={prefix}", f"--app={SHOP}"]
        streams = streams or {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        process: Forked[str] = Forked([*command, *where], cwd=ROOT, text=True, **streams)
        started.append(process)
        return process

    yield call
    for process in started:
        process.kill()
        if process.stdout:
            process.stdout.close()
        process.wait()


def test_one_frame_shows_queues_workers_and_the_longest_runs(run: Run, start: Start) -> None:
    start(SHOP, "--queue=mail").wait_ready()
    run("job", "add", "mail", "welcome", '{"seconds": 60}')
    run("job", "add", "mail", "bounce", "--attempts=1", "--wait=10s")
    run("job", "add", "parcels", "send")
    wait_until(lambda: "welcome" in run("top", "--once").out)
    shown = run("top", "--once").out
    mail, parcels = (
        next(each for each in shown.splitlines() if each.startswith(f" {name} ")) for name in ("mail", "parcels")
    )
    assert mail.split()[1:5] == ["0", "1", "0", "1"]
    assert parcels.split()[1] == "1"
    assert run("top", "--once", "parcels").out.count("mail") == 0

    seen = run("top", "--once", "--json").json()
    assert isinstance(seen, dict)
    assert [(each["queue"], each["id"], each["name"], each["attempt"]) for each in seen["running"]] == [
        ("mail", "1", "welcome", 1)
    ]
    assert [each["queue"] for each in seen["workers"]] == ["mail"]
    assert {each["name"]: each["waiting"] for each in seen["queues"]}["parcels"] == 1


def test_the_longest_run_comes_first_with_its_worker(run: Run, raw: "redis.Redis", prefix: str) -> None:
    for queue, job, since, worker in (("mail", "7", 5, "w-b"), ("parcels", "8", 9, "w-a"), ("mail", "9", 1, "")):
        at = int(raw.time()[0]) * 1000 - since * 60_000
        record: Any = {
            "name": "send",
            "data": "{}",
            "opts": "{}",
            "timestamp": at,
            "processedOn": at,
            "ats": 2,
            "atm": 1,
        }
        raw.hset(f"{prefix}:{queue}:{job}", mapping=record | ({"pb": worker} if worker else {}))
        raw.lpush(f"{prefix}:{queue}:active", job)
    seen = run("top", "--once", "--json", "--rows=2").json()
    assert isinstance(seen, dict)
    assert [(each["id"], each["worker"], each["attempt"]) for each in seen["running"]] == [
        ("8", "w-a", 2),
        ("7", "w-b", 2),
    ]
    assert 539 < seen["running"][0]["seconds"] < 560


def test_a_pipe_gets_frame_after_frame_until_it_is_stopped(run: Run, top: Top) -> None:
    run("job", "add", "mail", "welcome")
    process = top("--interval=50ms")
    assert process.stdout
    for _ in range(3):
        _read_until(process.stdout, " mail ")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0


def test_json_is_a_frame_a_line_as_soon_as_it_is_there(top: Top) -> None:
    process = top("--json", "--interval=50ms")
    assert process.stdout
    first, second = (msgspec.json.decode(process.stdout.readline()) for _ in range(2))
    assert first["at"] < second["at"]


def test_a_server_that_goes_away_is_said_and_comes_back(top: Top, make_server: Callable[..., OwnServer]) -> None:
    server = make_server()
    process = top("--interval=50ms", redis_url=server.url)
    assert process.stdout
    _read_until(process.stdout, " mail ")
    server.kill()
    _read_until(process.stdout, "trying again")
    server.start()
    _read_until(process.stdout, " mail ")
    assert process.poll() is None


def test_a_server_that_is_not_there_from_the_start_is_a_mistake(run: Run) -> None:
    failed = run("top", redis_url="redis://127.0.0.1:1/0")
    assert failed.status == 2
    assert failed.err.startswith("stockyard: ")


def test_q_ends_it_on_a_terminal_which_is_left_as_it_was(top: Top) -> None:
    ours, its = pty.openpty()
    before = termios.tcgetattr(its)
    process = top("--interval=100ms", stdin=its, stdout=its, stderr=its)
    seen = _seen(ours, until=b"parcels")
    assert b"\x1b[?1049h" in seen
    os.write(ours, b"q")
    _drain(ours, process)
    assert process.returncode == 0
    assert termios.tcgetattr(its) == before
    os.close(ours)
    os.close(its)


@pytest.mark.parametrize(
    ("option", "complaint"), [("--rows=0", "--rows must be from 1"), ("--interval=0s", "--interval must be more")]
)
def test_a_wrong_option_is_refused(run: Run, option: str, complaint: str) -> None:
    refused = run("top", "--once", option)
    assert refused.status == 2
    assert complaint in refused.err


def _read_until(stream: Any, text: str) -> None:
    """Read lines up to one with the text, from a process that prints one frame after the other."""
    for _ in range(2_000):
        line = stream.readline()
        assert line, f"it ended without {text!r}"
        if text in line:
            return
    raise AssertionError(f"{text!r} is nowhere")


def _seen(terminal: int, until: bytes) -> bytes:
    seen = b""

    def is_there() -> bool:
        nonlocal seen
        if select.select([terminal], [], [], 0)[0]:
            seen += os.read(terminal, 65536)
        return until in seen

    wait_until(is_there)
    return seen


def _drain(terminal: int, process: "subprocess.Popen[str]") -> None:
    """Read what a terminal is told until its process ends, so that it is not held up by a full one."""

    def has_ended() -> bool:
        while select.select([terminal], [], [], 0)[0]:
            os.read(terminal, 65536)
        return process.poll() is not None

    wait_until(has_ended)
