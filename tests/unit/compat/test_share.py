"""Where the port's objects connect, and what they share."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from stockyard.compat.bullmq.share import Share, url_of


class SSLConnection:
    """Has the name of redis-py's class."""


def client(**arguments: Any) -> SimpleNamespace:
    kind = arguments.pop("kind", None)
    return SimpleNamespace(connection_pool=SimpleNamespace(connection_kwargs=arguments, connection_class=kind))


@pytest.mark.parametrize(
    ("connection", "url"),
    [
        (None, "redis://localhost:6379/0"),
        ({}, "redis://localhost:6379/0"),
        ("redis://elsewhere:1", "redis://elsewhere:1"),
        ({"host": "h", "port": 7, "db": 2}, "redis://h:7/2"),
        ({"host": "::1"}, "redis://[::1]:6379/0"),
        ({"password": "a/b"}, "redis://:a%2Fb@localhost:6379/0"),
        ({"username": "u", "password": "p"}, "redis://u:p@localhost:6379/0"),
        ({"unix_socket_path": "/run/redis.sock"}, "unix:///run/redis.sock?db=0"),
        ({"ssl": True, "ssl_ca_certs": "/ca.pem"}, "rediss://localhost:6379/0?ca=/ca.pem"),
        (client(host="h", port=7, db=1), "redis://h:7/1"),
        (client(path="/run/redis.sock"), "unix:///run/redis.sock?db=0"),
        (client(host="h", kind=SSLConnection), "rediss://h:6379/0"),
    ],
)
def test_a_connection_is_a_url(connection: Any, url: str) -> None:
    assert url_of(connection) == url


async def test_objects_of_one_server_and_prefix_share_an_app() -> None:
    first, second = Share({}), Share({"connection": {"host": "localhost"}})
    other = Share({"prefix": "other"})
    assert first.app is second.app
    assert first.app is not other.app
    assert (first.prefix, other.prefix) == ("bull", "other")
    for share in (first, first, second, other):
        await share.close()
    third = Share({})
    assert third.app is not first.app
    await third.close()


def test_each_loop_has_an_app_of_its_own() -> None:
    async def made() -> Share:
        return Share({})

    left_open, outside = asyncio.run(made()), Share({})
    assert len({id(share.app) for share in (left_open, asyncio.run(made()), outside)}) == 3
    asyncio.run(outside.close())
