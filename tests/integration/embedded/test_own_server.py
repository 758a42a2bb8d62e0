"""The test suite's private server does what its users rely on."""

from collections.abc import Callable

import pytest
import redis

from tests.support.servers import OwnServer


def test_it_forgets_nothing_when_it_is_killed(own_server: OwnServer) -> None:
    with own_server.client() as client:
        client.set("k", "v")
    before = own_server.pid
    own_server.kill()
    own_server.start()
    assert own_server.pid != before
    with own_server.client() as client:
        assert client.get("k") == "v"


def test_it_listens_on_a_port_and_asks_for_its_password(make_server: Callable[..., OwnServer]) -> None:
    server = make_server(port=True, password="p@ss/word")
    assert server.url.startswith("redis://:p%40ss%2Fword@127.0.0.1:")
    with server.client() as client:
        assert client.ping()
    with (
        redis.Redis.from_url(f"redis://127.0.0.1:{server.port}", retry=None) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_a_paused_one_does_not_answer_until_it_is_resumed(own_server: OwnServer) -> None:
    with own_server.client() as client:
        client.ping()
        own_server.pause()
        with (
            redis.Redis.from_url(own_server.url, socket_timeout=0.1, retry=None) as other,
            pytest.raises(redis.TimeoutError),
        ):
            other.ping()
        own_server.resume()
        assert client.ping()


def test_fixtures_share_one_server(prefix: str, raw: "redis.Redis", redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.set(f"{prefix}:k", "v")
    assert raw.get(f"{prefix}:k") == "v"
