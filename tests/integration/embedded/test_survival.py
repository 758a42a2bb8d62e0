"""What was acknowledged comes back, whichever process is killed."""

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from stockyard.embedded import acquire, guardian, probe, status
from stockyard.errors import EmbeddedServerError
from tests.support.waiting import wait_until


@contextmanager
def client_of(data: Path) -> Iterator["redis.Redis"]:
    with acquire(data) as server, redis.Redis.from_url(server.url, decode_responses=True) as client:
        yield client


def pid_of(data: Path) -> int:
    pid = status(data).pid
    assert pid is not None
    return pid


def is_restarted(data: Path, old: int) -> bool:
    return probe.answers(data / "valkey.sock", within=1) and pid_of(data) != old


def guardian_of(data: Path) -> int:
    return int(Path(f"/proc/{pid_of(data)}/stat").read_text().rpartition(")")[2].split()[1])


def test_data_outlives_a_clean_stop(data: Path) -> None:
    with client_of(data) as client:
        client.set("k", "v")
    wait_until(lambda: not status(data).running)
    with client_of(data) as client:
        assert client.get("k") == "v"


def test_a_killed_server_comes_back_with_its_data_while_it_is_used(data: Path) -> None:
    with client_of(data) as client:
        client.set("k", "v")
        killed = pid_of(data)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: is_restarted(data, killed))
        assert client.get("k") == "v"


def test_a_server_that_was_told_to_stop_comes_back_while_it_is_used(data: Path) -> None:
    with client_of(data) as client:
        client.set("k", "v")
        stopped = pid_of(data)
        client.shutdown()
        wait_until(lambda: is_restarted(data, stopped))
        assert client.get("k") == "v"


def test_a_log_torn_in_the_middle_of_a_write_is_loaded(data: Path) -> None:
    with client_of(data) as client:
        client.set("k", "v")
    wait_until(lambda: not status(data).running)
    [log] = data.glob("appendonlydir/*.incr.aof")
    with log.open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9\r\nto")
    with client_of(data) as client:
        assert client.get("k") == "v"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc who the guardian is")
def test_nothing_outlives_a_killed_guardian_for_long(data: Path) -> None:
    with client_of(data) as client:
        client.set("k", "v")
        killed = pid_of(data)
        os.kill(guardian_of(data), signal.SIGKILL)
        wait_until(lambda: not status(data).running)
        with client_of(data) as again:
            assert again.get("k") == "v"
            assert pid_of(data) != killed


def test_a_new_guardian_stops_the_server_that_outlived_the_old_one(data: Path) -> None:
    with acquire(data):
        pass
    wait_until(lambda: not status(data).running)
    # A lock without a guardian stands for the orphan: a process that ends only on a signal.
    orphan = os.fork()
    if not orphan:
        lock = guardian.open_lock(data / guardian.SERVER_LOCK)
        guardian.try_lock(lock, fcntl.LOCK_EX)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        (data / "orphan").touch()
        signal.pause()
    wait_until((data / "orphan").exists)
    with client_of(data) as client:
        assert client.ping()
    assert os.waitpid(orphan, 0)[1] == signal.SIGTERM


def test_what_a_crashed_machine_left_behind_is_no_obstacle(data: Path) -> None:
    with client_of(data) as client:
        client.set("k", "v")
    wait_until(lambda: not status(data).running)
    (data / "valkey.sock").unlink(missing_ok=True)
    (data / "valkey.sock").touch()
    (data / guardian.SERVER_LOCK).write_text("1")
    with client_of(data) as client:
        assert client.get("k") == "v"


def test_a_server_that_refuses_says_why(data: Path) -> None:
    with client_of(data) as client:
        client.set("k", "v")
    wait_until(lambda: not status(data).running)
    [log] = data.glob("appendonlydir/*.incr.aof")
    log.write_bytes(b"nonsense\r\n" * 10)
    with pytest.raises(EmbeddedServerError, match=r"(?s)refused to start; its log ends:.*Bad file format"):
        acquire(data)


def test_a_server_that_does_not_answer_in_time_says_so(data: Path) -> None:
    with acquire(data):
        os.kill(pid_of(data), signal.SIGSTOP)
        paused = guardian.open_lock(data / guardian.SERVER_LOCK)
        pid = int(os.pread(paused, 20, 0))
        os.close(paused)
        try:
            with pytest.raises(EmbeddedServerError, match=r"did not answer within 0\.1 s"):
                acquire(data, timeout=0.1)
        finally:
            os.kill(pid, signal.SIGCONT)
