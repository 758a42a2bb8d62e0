"""What the tests of the Lua scripts share: a queue on a stopped clock, and its keyspace as plain values."""

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import pytest
import redis

from stockyard._store.caches.caching import CacheKeyspace
from stockyard._store.channels.broadcast import ChannelKeyspace
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.server import Server
from stockyard._store.scripts import names
from stockyard._wire.own_keys import limits_base
from stockyard.config import Settings
from stockyard.model.naming import Naming
from tests.scripts.exchange import Exchange
from tests.scripts.full_server import FullFor, script_of
from tests.support.reading import read_keys

NOW = 1_700_000_000_000


class Sorted(dict[str, float]):
    """A sorted set as a value: members with their scores."""


class Keyspace:
    """The keys of one queue, named by what follows the queue's base.

    Attributes:
        lease_ms: how long the locks last that are put there. Defaults to for ever.
    """

    lease_ms: int | None = None

    def __init__(self, raw: "redis.Redis", base: str) -> None:
        self._raw: Any = raw
        self._base = base

    def put(self, keys: dict[str, Any]) -> None:
        """Write keys: text, list, set, dict (a hash) or Sorted."""
        with self._raw.pipeline(transaction=False) as pipe:
            for name, value in keys.items():
                key = self._base + name
                match value:
                    case Sorted():
                        pipe.zadd(key, dict(value))
                    case dict():
                        pipe.hset(key, mapping=value)
                    case list():
                        pipe.rpush(key, *value)
                    case set():
                        pipe.sadd(key, *value)
                    case _:
                        pipe.set(key, value, px=self.lease_ms if name.endswith(":lock") else None)
            pipe.execute()

    def get(self, name: str) -> Any:
        """A key's value in the form of `put`, or None; of a stream its entries, as lists of values."""
        return self._values([name])[name]

    def all(self) -> dict[str, Any]:
        """Every key but ``meta``, which holds the event stream's length alone."""
        return self._values([name for name in self.names() if name != "meta"])

    def _values(self, names: list[str]) -> dict[str, Any]:
        read = read_keys(self._raw, [self._base + name for name in names])
        return {name: _plain(kind, value) for name, (kind, value) in zip(names, read, strict=True)}

    def names(self) -> list[str]:
        """The keys there are, sorted."""
        return sorted(key.removeprefix(self._base) for key in self._raw.scan_iter(f"{self._base}*", count=1000))

    def is_list(self, name: str) -> bool:
        """Whether the server keeps a hash as a list, which it searches from its beginning."""
        encoding: str = self._raw.object("encoding", self._base + name)
        return encoding in ("listpack", "ziplist")

    def dumps(self) -> dict[str, bytes]:
        """Every key's value as DUMP tells it."""
        return {
            name: self._raw.execute_command("DUMP", self._base + name, NEVER_DECODE=True) for name in self.names()
        }

    def delete(self, name: str) -> None:
        """Delete a key."""
        self._raw.delete(self._base + name)

    def ttl(self, name: str) -> int:
        """Milliseconds until a key goes."""
        return int(self._raw.pttl(self._base + name))


def _plain(kind: str, value: Any) -> Any:
    match kind:
        case "zset":
            return Sorted(value)
        case "stream":
            return [list(fields.values()) for _, fields in value]
        case _:
            return value


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test of a script runs a second time, on a server that is full while that script runs."""
    if (script := script_of(metafunc.module.__name__, frozenset(names()))) is not None:
        metafunc.fixturenames.append("memory")
        metafunc.parametrize("memory", ["", script], ids=["", "full"], indirect=True)
    if script in ("effects.begin", "effects.report", "effects.review", "effects.settle"):
        metafunc.fixturenames.insert(0, "lease_ms")
        metafunc.parametrize("lease_ms", [None, 600_000], ids=["own", "compact"], indirect=True)


@pytest.fixture
def lease_ms(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How long locks last: the usual effects, each a field of one hash, are those of leases that end."""
    monkeypatch.setattr(Keyspace, "lease_ms", request.param)


@pytest.fixture
def memory(request: pytest.FixtureRequest, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whether the server has room for the script that is tested."""
    if not request.param or "prefix" not in request.fixturenames:
        yield
        return
    prefix: str = request.getfixturevalue("prefix")
    with redis.Redis.from_url(redis_url) as client, FullFor(request.param, client, prefix).installed(monkeypatch):
        yield


@pytest.fixture
async def keyspace_at(redis_url: str, prefix: str) -> AsyncIterator[Callable[[int], QueueKeyspace]]:
    """Makes the link of the queue ``q`` whose clock stands at the given time."""
    server = Server(Settings.load(redis_url, dotenv=None).address)
    yield lambda now: QueueKeyspace(server, Naming(prefix), "q", clock=lambda: now)
    await server.aclose()


@pytest.fixture
async def keyspace(keyspace_at: Callable[[int], QueueKeyspace]) -> QueueKeyspace:
    """The queue ``q`` at NOW."""
    return keyspace_at(NOW)


@pytest.fixture
def keys(raw: "redis.Redis", keyspace: QueueKeyspace) -> Keyspace:
    """Its keys."""
    return Keyspace(raw, keyspace.base)


@pytest.fixture
async def cache(redis_url: str, prefix: str) -> AsyncIterator[CacheKeyspace]:
    """All caches of this test's prefix."""
    server = Server(Settings.load(redis_url, dotenv=None).address)
    yield CacheKeyspace(server, Naming(prefix))
    await server.aclose()


@pytest.fixture
def cache_keys(raw: "redis.Redis", cache: CacheKeyspace) -> Keyspace:
    """Their keys, named by what follows the base."""
    return Keyspace(raw, cache.keys.base)


@pytest.fixture
async def channel(redis_url: str, prefix: str) -> AsyncIterator[ChannelKeyspace]:
    """The channel ``c`` of this test's prefix."""
    server = Server(Settings.load(redis_url, dotenv=None).address)
    yield ChannelKeyspace(server, Naming(prefix), "c")
    await server.aclose()


@pytest.fixture
def channel_keys(raw: "redis.Redis", channel: ChannelKeyspace) -> Keyspace:
    """Its keys, named by what follows the base."""
    return Keyspace(raw, channel.keys.base)


@pytest.fixture
async def exchange(redis_url: str, prefix: str) -> AsyncIterator[Callable[..., Exchange]]:
    """Makes an exchange of limits, by the arguments of `Exchange`; all of a test are one on the server."""
    server = Server(Settings.load(redis_url, dotenv=None).address)
    yield partial(Exchange, server, Naming(prefix))
    await server.aclose()


@pytest.fixture
def limits_keys(redis_url: str, prefix: str) -> Iterator[Keyspace]:
    """Its keys; what is packed is read as it is, so that its length is that of its bytes."""
    with redis.Redis.from_url(redis_url, decode_responses=True, encoding="latin-1") as client:
        yield Keyspace(client, limits_base(Naming(prefix), "x"))


def record(**fields: Any) -> dict[str, str]:
    """A job's hash with the fields that each has."""
    whole = {"name": "work", "data": "{}", "opts": "{}", "timestamp": NOW, "delay": 0, "priority": 0, **fields}
    return {name: str(value) for name, value in whole.items()}
