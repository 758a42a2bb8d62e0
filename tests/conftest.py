"""The servers, key prefixes, clients and peers that tests ask for by name."""

import gc
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest
import redis
import redis.utils
from hypothesis import settings

from stockyard import embedded
from stockyard._aio.repeats import repeats
from stockyard.leases import keeper
from tests.support import renewers
from tests.support.node import NodePeer
from tests.support.order import long_first
from tests.support.python_peer import PythonPeer
from tests.support.servers import OwnServer
from tests.support.sets import ClusterSet, SentinelSet, ServerSet
from tests.support.warm import WarmPython
from tests.support.webhook import Listener

pytest_plugins = ["stockyard.testing.plugin"]

S = TypeVar("S", bound=ServerSet)

# redis-py parses the metadata of its package for each connection, which takes longer than the connecting does.
redis.utils.get_lib_version = cache(redis.utils.get_lib_version)

# Processes that tests start, and the tests of the keeper, have their renewers as the package starts them.
keeper._start_renewer = renewers.forked

_DELETE_PREFIX = """
local cursor, keys = '0'
repeat
  cursor, keys = unpack(redis.call('SCAN', cursor, 'MATCH', KEYS[1] .. '*', 'COUNT', 1000))
  for _, key in ipairs(keys) do redis.call('UNLINK', key) end
until cursor == '0'
"""

# How long an example takes says nothing on a machine that runs other tests beside it.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to share a server among pytest workers: a test may empty it, fill it, or close all connections."""
    if os.environ.get("REDIS_URL") and getattr(config.option, "numprocesses", None):
        raise pytest.UsageError("REDIS_URL names one server, and each pytest worker needs its own: use -n 0")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the ten thousand collected tests out of each later look for garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long tests where several workers share the tests, so that none of them is the last to end."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        items[:] = long_first(items, lambda item: item.get_closest_marker("long") is not None, workers)


@pytest.fixture(autouse=True)
def fresh_warnings() -> None:
    """Let each test see the warnings of its own, whatever the tests before it have seen."""
    repeats.clear()


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    """Fail the test that leaves an environment variable of ours behind: it would change the tests after it."""
    before = _settings()
    yield
    after = _settings()
    for name in before | after:
        os.environ.pop(name, None)
    os.environ.update(before)
    assert after == before, "the test changed environment variables and did not put them back"


def _settings() -> dict[str, str]:
    return {name: os.environ[name] for name in os.environ if "REDIS" in name or name.startswith("STOCKYARD")}


@pytest.fixture(scope="session")
def chosen_set() -> Iterator[ServerSet | None]:
    """The set that all tests of this process use in place of one server: by `TEST_SET`; else none."""
    kinds: dict[str, Callable[[Path], ServerSet]] = {"sentinel": SentinelSet, "cluster": ClusterSet}
    if kind := os.environ.get("TEST_SET"):
        yield from _started(kinds[kind])
    else:
        yield None


@pytest.fixture(scope="session")
def redis_url(chosen_set: ServerSet | None) -> Iterator[str]:
    """The server of all tests of this process: `REDIS_URL`, or an embedded one that ends with the process."""
    if chosen_set is not None:
        yield chosen_set.url
    elif url := os.environ.get("REDIS_URL"):
        yield url
    else:
        with embedded.ephemeral() as server:
            yield server.url


@pytest.fixture(scope="session")
def warm_python(tmp_path_factory: pytest.TempPathFactory) -> WarmPython:
    """Runs programs without the time that their imports take."""
    return WarmPython(tmp_path_factory.mktemp("warm"))


def _holder(url: str, servers: ServerSet | None, key: str) -> str:
    """Return the URL of the server that holds a key."""
    if servers is None:
        return url
    node = servers.primary_of(key)
    return f"redis://{node.host}:{node.port}"


@pytest.fixture(scope="session")
def plain_client() -> Iterator[Callable[[str], "redis.Redis"]]:
    """Returns the plain sync client of a URL: making one for each test was a sixth of the time of short tests."""
    with ExitStack() as ending:

        @cache
        def client(url: str) -> "redis.Redis":
            made: redis.Redis = redis.Redis.from_url(url, decode_responses=True)
            ending.callback(made.close)
            return made

        yield client


@pytest.fixture
def raw(
    redis_url: str, prefix: str, chosen_set: ServerSet | None, plain_client: Callable[[str], "redis.Redis"]
) -> "redis.Redis":
    """A plain sync client, to look at the keyspace before and after."""
    return plain_client(_holder(redis_url, chosen_set, prefix))


@pytest.fixture
def prefix(
    redis_url: str, chosen_set: ServerSet | None, plain_client: Callable[[str], "redis.Redis"]
) -> Iterator[str]:
    """A key prefix of this test's own; its keys are deleted afterwards."""
    own = f"t:{secrets.token_hex(4)}"
    if isinstance(chosen_set, ClusterSet):
        # All of a test in one slot, so that its keys are spelled as on one server.
        own = f"{{{own}}}"
    yield own
    plain_client(_holder(redis_url, chosen_set, own)).eval(_DELETE_PREFIX, 1, own)


@pytest.fixture
def make_server() -> Iterator[Callable[..., OwnServer]]:
    """Makes started private servers, with the keyword arguments of `OwnServer`; they end with the test."""
    with ExitStack() as ending:

        def make(**options: object) -> OwnServer:
            data = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="stockyard-test-")))
            server = OwnServer(data, **options)  # type: ignore[arg-type]
            ending.callback(server.stop)
            server.start()
            return server

        yield make


@pytest.fixture
def own_server(make_server: Callable[..., OwnServer]) -> OwnServer:
    """A started private server, which the test may kill, stop, pause and start again."""
    return make_server()


@pytest.fixture(scope="module")
def sentinel_set() -> Iterator[SentinelSet]:
    """One primary, its replica and three Sentinels, of this module's tests alone; what one kills, it restarts."""
    yield from _started(SentinelSet)


@pytest.fixture(scope="module")
def cluster_set() -> Iterator[ClusterSet]:
    """Three primaries with a replica each, of this module's tests alone; what one kills, it restarts."""
    yield from _started(ClusterSet)


def _started(kind: Callable[[Path], S]) -> Iterator[S]:
    with tempfile.TemporaryDirectory(prefix="stockyard-test-") as data:
        servers = kind(Path(data))
        try:
            servers.start()
            yield servers
        finally:
            servers.stop()


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A webhook that keeps what it is sent."""
    made = Listener()
    yield made
    made.close()


@pytest.fixture(scope="session")
def node_process(redis_url: str) -> Iterator[NodePeer]:
    """The Node process of all tests of this process."""
    peer = NodePeer(redis_url)
    yield peer
    peer.stop()


@pytest.fixture
async def node(node_process: NodePeer, prefix: str) -> AsyncIterator[NodePeer]:
    """The Node process, on this test's prefix; the objects that the test makes in it are closed afterwards."""
    node_process.prefix = prefix
    yield node_process
    await node_process.close_objects()


@pytest.fixture
def start_node(redis_url: str, prefix: str) -> Iterator[Callable[..., NodePeer]]:
    """Starts more Node processes, with the keyword arguments of `NodePeer`; a test may kill them."""
    with ExitStack() as ending:

        def start(**options: Any) -> NodePeer:
            peer = NodePeer(redis_url, prefix, **options)
            ending.callback(peer.stop)
            return peer

        yield start


@pytest.fixture(scope="session")
def node5_process(redis_url: str) -> Iterator[NodePeer]:
    """The Node process with bullmq v5 of all tests of this process."""
    peer = NodePeer(redis_url, version=5)
    yield peer
    peer.stop()


@pytest.fixture
async def node5(node5_process: NodePeer, prefix: str) -> AsyncIterator[NodePeer]:
    """A Node process with bullmq v5, as `node`."""
    node5_process.prefix = prefix
    yield node5_process
    await node5_process.close_objects()


@pytest.fixture(scope="session")
def python_process(redis_url: str) -> Iterator[PythonPeer]:
    """The process with PyPI's bullmq of all tests of this process."""
    peer = PythonPeer(redis_url)
    yield peer
    peer.stop()


@pytest.fixture
async def python_peer(python_process: PythonPeer, prefix: str) -> AsyncIterator[PythonPeer]:
    """The process with PyPI's bullmq, on this test's prefix; what the test makes in it is closed afterwards."""
    python_process.prefix = prefix
    yield python_process
    await python_process.close_objects()
