"""One data folder, one server: for several users, for exactly as long as there is one."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import redis

from stockyard.config import Address
from stockyard.embedded import acquire, ephemeral, status
from stockyard.embedded.server import acquire_address
from tests.support.servers import EmbeddedUser
from tests.support.waiting import wait_until

StartUser = Callable[[], EmbeddedUser]


def is_stopped(data: Path) -> bool:
    return not status(data).running


def test_the_first_user_starts_it_and_the_last_one_stops_it(data: Path, start_user: StartUser) -> None:
    assert not status(data).running
    first, second = start_user(), start_user()
    assert first.url == second.url == status(data).url
    pid = status(data).pid
    first.leave()
    with acquire(data):
        second.leave()
        assert status(data).pid == pid
    wait_until(lambda: is_stopped(data))


def test_users_that_come_at_once_share_one_server(data: Path, start_user: StartUser) -> None:
    users = [start_user() for _ in range(4)]
    assert {user.url for user in users} == {status(data).url}
    log = (data / "server.log").read_text()
    assert log.count("starting oO0OoO0OoO0Oo") == 1


def test_a_killed_user_leaves_nothing_behind(data: Path, start_user: StartUser) -> None:
    user = start_user()
    assert user.url
    user.kill()
    wait_until(lambda: is_stopped(data))


def test_two_shares_of_one_process_count_twice(data: Path) -> None:
    first, second = acquire(data), acquire(data)
    first.release()
    first.release()
    with redis.Redis.from_url(second.url) as client:
        assert client.ping()
    assert status(data).running
    second.release()
    wait_until(lambda: is_stopped(data))


def test_a_user_that_comes_while_it_stops_gets_a_new_one(data: Path) -> None:
    for _ in range(5):
        with acquire(data) as server, redis.Redis.from_url(server.url) as client:
            client.incr("visits")
    with acquire(data) as server, redis.Redis.from_url(server.url) as client:
        assert client.get("visits") == b"5"


def test_another_folder_is_another_server(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    with acquire(data) as one, acquire(other) as two:
        assert one.url != two.url
        assert status(data).pid != status(other).pid
    wait_until(lambda: is_stopped(other))


def test_every_way_to_write_the_folder_is_the_same_server(data: Path, tmp_path: Path) -> None:
    keyspace = tmp_path / "link"
    keyspace.symlink_to(data)
    with acquire(data) as one, acquire(keyspace) as two:
        assert one.url == two.url
        assert one.data == two.data


def test_the_folder_and_the_socket_are_the_owners_alone(data: Path) -> None:
    data.mkdir(mode=0o755)
    with acquire(data):
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        assert stat.S_IMODE((data / "valkey.sock").stat().st_mode) == 0o700
        files = [path for path in data.rglob("*") if path.is_file()]
        assert files
        assert [path for path in files if path.stat().st_mode & 0o077] == []


def test_it_is_set_up_to_keep_jobs(data: Path) -> None:
    with acquire(data) as server, redis.Redis.from_url(server.url, decode_responses=True) as client:
        settings = client.config_get("appendonly", "appendfsync", "save", "port", "maxmemory-policy")
    assert settings == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "port": "0",
        "maxmemory-policy": "noeviction",
    }


def test_a_path_that_is_too_long_for_a_socket_works(tmp_path: Path) -> None:
    long = tmp_path / ("long name " * 12) / "data"
    with acquire(long) as server, redis.Redis.from_url(server.url) as client:
        assert client.ping()
        assert server.data == long
        socket = Path(server.url.removeprefix("unix://"))
        assert len(os.fsencode(socket)) < 104
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        assert (long / "appendonlydir").is_dir() or (long / "appendonly.aof").is_file()
    wait_until(lambda: is_stopped(long))


def test_a_path_with_signs_that_mean_something_in_a_url_works(tmp_path: Path) -> None:
    odd = tmp_path / "a b?c#d%e"
    with acquire(odd) as server, redis.Redis.from_url(server.url) as client:
        assert client.ping()
    wait_until(lambda: is_stopped(odd))


def test_a_forked_child_keeps_what_its_parent_gave_up(data: Path) -> None:
    server = acquire(data)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    os.close(reader)
    server.release()
    with redis.Redis.from_url(server.url) as client:
        client.set("still", "here")
    with acquire(data) as again, redis.Redis.from_url(again.url) as client:
        assert client.info("server")["process_id"] == status(data).pid
    assert status(data).running
    os.close(writer)
    os.waitpid(child, 0)
    wait_until(lambda: is_stopped(data))


def test_an_ephemeral_one_leaves_no_folder() -> None:
    with ephemeral() as server:
        assert server.data.is_dir()
    assert not server.data.exists()


def test_an_ephemeral_one_leaves_no_folder_when_its_user_is_killed() -> None:
    program = (
        "import os; from stockyard.embedded import ephemeral; "
        "print(ephemeral().data, flush=True); os.kill(os.getpid(), 9)"
    )
    run = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=False)
    folder = Path(run.stdout.strip())
    assert folder.is_absolute()
    wait_until(lambda: not folder.exists())


def test_an_ephemeral_one_can_do_without_persistence() -> None:
    with ephemeral(appendonly=False) as server, redis.Redis.from_url(server.url, decode_responses=True) as client:
        assert client.config_get("appendonly") == {"appendonly": "no"}


def test_an_embedded_address_keeps_its_database(data: Path) -> None:
    server, address = acquire_address(Address("embedded", path=str(data), database=2))
    with server, redis.Redis.from_url(server.url, db=2) as client:
        assert (address.scheme, address.path, address.database) == ("unix", f"{data}/valkey.sock", 2)
        client.set("k", "v")
        assert client.info("keyspace")["db2"]["keys"] == 1
