"""Embedded Sentinel sets and clusters: shared, failing over, healing, coming back at the same addresses."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from stockyard.embedded import MemberStatus, SetShape, acquire, ephemeral, pin, status, unpin
from stockyard.errors import EmbeddedServerError
from tests.support.servers import EmbeddedUser
from tests.support.waiting import wait_until

SENTINEL, CLUSTER = SetShape("sentinel"), SetShape("cluster", 3, 1)
SMALL = SetShape("cluster", 3, 0)


def client_of(member: MemberStatus) -> redis.Redis:
    return redis.Redis(member.host, member.port, decode_responses=True, socket_timeout=2)


def member_of(data: Path, role: str) -> MemberStatus:
    return next(member for member in status(data).members if member.role == role)


def kill(member: MemberStatus) -> None:
    assert member.pid
    os.kill(member.pid, signal.SIGKILL)


def are_gone(pids: set[int | None]) -> bool:
    return not any(pid and Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc which processes are left")
def test_two_processes_share_a_sentinel_set_which_fails_over(
    data: Path, start_user: Callable[..., EmbeddedUser]
) -> None:
    first, second = start_user(SENTINEL), start_user(SENTINEL)
    url = first.url
    assert url == second.url
    assert url.startswith("redis+sentinel://127.0.0.1:")
    seen = status(data)
    assert (seen.running, seen.problem, seen.url) == (True, "", url)
    assert sorted(str(each.role) for each in seen.members) == ["primary", "replica", *["sentinel"] * 3]
    pids = {each.pid for each in seen.members}

    primary, replica = member_of(data, "primary"), member_of(data, "replica")
    with client_of(primary) as client:
        client.set("k", "v")
        client.execute_command("WAIT", 1, 1000)
    first.kill()
    kill(primary)
    with client_of(member_of(data, "sentinel")) as sentinel:

        def named() -> tuple[str, int]:
            host, port = sentinel.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", "primary")
            return host, int(port)

        wait_until(lambda: named() == (replica.host, replica.port), every=0.05)
    with client_of(replica) as client:
        wait_until(lambda: client.execute_command("ROLE")[0] in ("master", b"master"), every=0.05)
        assert client.get("k") == "v"
    second.leave()
    wait_until(lambda: not status(data).running)
    wait_until(lambda: are_gone(pids))


@pytest.mark.long
def test_a_killed_node_of_a_cluster_comes_back_as_a_replica_with_its_data(data: Path) -> None:
    with acquire(data, shape=CLUSTER):
        primary = member_of(data, "primary")
        with client_of(primary) as client:
            client.set("{06S}", "v")  # a key of the first slot
            client.execute_command("WAIT", 1, 1000)
        kill(primary)
        wait_until(lambda: status(data).problem, every=0.05)
        with acquire(data, shape=CLUSTER, timeout=1):  # those who join do not wait until it is whole
            assert status(data).problem
        wait_until(lambda: not status(data).problem, within=40, every=0.2)
        back = next(member for member in status(data).members if member.name == primary.name)
        assert back.role == "replica"
        assert back.pid != primary.pid
        with client_of(back) as client:
            shards = client.execute_command("CLUSTER SHARDS")
            client.execute_command("READONLY")
            assert client.get("{06S}") == "v"
        assert len(shards) == 3


def test_a_cluster_comes_back_at_the_same_addresses_with_its_data(data: Path) -> None:
    started = pin(data, shape=SMALL)
    with client_of(started.members[0]) as client:
        client.set("{06S}", "v")
    assert not unpin(data).running
    again = pin(data, shape=SMALL)
    assert again.url == started.url
    assert {each.pid for each in again.members}.isdisjoint(each.pid for each in started.members)
    with client_of(again.members[0]) as client:
        assert client.get("{06S}") == "v"
    assert not unpin(data).running


def test_a_set_whose_start_was_broken_off_is_formed_by_the_next(
    data: Path, start_user: Callable[..., EmbeddedUser]
) -> None:
    with pytest.raises(EmbeddedServerError, match=r"was not ready within 0\.1 s: "):
        acquire(data, shape=SMALL, timeout=0.1)
    killed = start_user(SMALL)
    wait_until((data / "set.json").exists)
    killed.kill()
    with acquire(data, shape=SMALL):
        assert status(data).problem == ""


def test_a_member_that_refuses_to_start_says_why(data: Path) -> None:
    with acquire(data, shape=SMALL):
        pass
    wait_until(lambda: not status(data).running)
    [log] = data.glob("nodes/node-2/appendonlydir/*.incr.aof")
    log.write_bytes(b"nonsense\r\n" * 10)
    with pytest.raises(EmbeddedServerError, match=r"(?s)refused to start; its log ends:.*node-2 ended.*Bad file"):
        acquire(data, shape=SMALL)


def test_an_ephemeral_set_leaves_no_folder() -> None:
    with ephemeral(shape=SMALL, appendonly=False) as server:
        assert server.url.startswith("redis+cluster://127.0.0.1:")
        with client_of(status(server.data).members[0]) as client:
            assert client.config_get("appendonly") == {"appendonly": "no"}
    assert not server.data.exists()
