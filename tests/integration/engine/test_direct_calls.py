"""Blocking calls that need no loop: made by the calling thread itself, on connections of its process."""

import asyncio
import inspect
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any

import pytest
import redis

from stockyard import App, Flow, Job, JobState, Queue, ServerRefused, ServerUnavailable, Topology
from stockyard._store.net.pool import MAX_CONNECTIONS
from stockyard.errors import AuthenticationFailed, BlockingCallRefused, JobNotFound, ReplyLost, StockyardError
from stockyard.produce.flows import Flows
from stockyard.schedule.schedules import Schedules
from stockyard.testing.proxy import Proxy
from tests.support.adding import stored
from tests.support.servers import OwnServer
from tests.support.waiting import wait_until

SECRET = "s3cr:et/pass@word"


def app_on(url: str, **settings: Any) -> App:
    topology = Topology("test")
    topology.queue("q")
    return App(topology, url, **settings)


@pytest.fixture
def app(redis_url: str, prefix: str) -> Iterator[App]:
    made = app_on(redis_url, prefix=prefix)
    yield made
    made.close()


def in_portal(app: App) -> bool:
    return app._portal.is_open


def connections(client: "redis.Redis") -> set[str]:
    """Ids of the connections but for the client's own."""
    own = client.client_id()
    listed: Any = client.client_list()
    return {each["id"] for each in listed if int(each["id"]) != own}


@pytest.mark.parametrize("port", [True, False])
@pytest.mark.parametrize("password", [SECRET, None])
def test_jobs_are_added_and_read_by_tcp_and_socket_file_with_and_without_a_password(
    make_server: Callable[..., OwnServer], port: bool, password: str | None
) -> None:
    server = make_server(password=password, port=port)
    app = app_on(server.url.replace("db=0", "db=3").replace("/0", "/3"))
    queue = app.queue("q").sync
    job = queue.add("x", {"n": 1}, priority=2)
    assert [each.id for each in queue.add_many([("a", 1), ("b", 2, {"delay": 60_000})])] == ["2", "3"]
    assert stored(queue, job.id).data == {"n": 1}
    assert job.sync.log("a line") == 1
    assert queue.counts()[JobState.DELAYED] == 1
    assert not in_portal(app)
    with server.client() as client:
        assert client.dbsize() == 0
        client.select(3)
        assert client.dbsize() > 0
        app.close()
        app.close()
        wait_until(lambda: not connections(client))
        assert queue.add("later").id == "4"
        app.close()
        wait_until(lambda: not connections(client))


def test_a_user_with_a_password_is_let_in_and_another_is_not(
    make_server: Callable[..., OwnServer], tmp_path: Any
) -> None:
    users = tmp_path / "users.acl"
    users.write_text(f"user maker on >{SECRET} ~* &* +@all\nuser default off\n")
    server = make_server(user="maker", password=SECRET, port=True, options={"aclfile": str(users)})
    app = app_on(server.url)
    assert app.queue("q").sync.add("x").id == "1"
    app.close()
    for login in ("", "maker:wrong@", ":wrong@"):
        other = app_on(f"redis://{login}127.0.0.1:{server.port}", call_timeout=5)
        with pytest.raises(AuthenticationFailed, match="REDIS_PASSWORD") as refused:
            other.queue("q").sync.add("x")
        assert "wrong" not in str(refused.value)
        other.close()


ARGUMENTS: dict[tuple[type, str], tuple[Any, ...]] = {
    (Queue, "set_canary"): (2, 0.5),
    (Queue, "add"): ("x",),
    (Queue, "add_many"): ([("x",)],),
    (Queue, "get_job"): ("1",),
    (Queue, "position"): ("1",),
    (Queue, "set_concurrency"): (3,),
    (Queue, "set_rate"): ("5/s",),
    (Queue, "rate_limit"): ("1s",),
    (Queue, "clean"): ("completed",),
    (Queue, "cancel"): ("99",),
    (Queue, "search"): ("x",),
    (Queue, "remove"): ("99",),
    (Queue, "release_deduplication"): ("d",),
    (Queue, "trim_events"): (10,),
    (Queue, "publish_event"): ("e",),
    (Queue, "counts_per_priority"): ([1],),
    (Queue, "deduplication_owner"): ("d",),
    (Queue, "metrics"): ("completed",),
    (Queue, "get_jobs"): ("waiting",),
    (Job, "update_progress"): (5,),
    (Job, "log"): ("line",),
    (Job, "update_data"): ({},),
    (Job, "change_delay"): ("1h",),
    (Job, "change_priority"): (3,),
    (Job, "move_to_delayed"): ("1h",),
    (Job, "rate_limit"): ("1s",),
    (Flows, "add"): (Flow("top", "q", children=[Flow("below", "q")]),),
    (Flows, "add_many"): ([Flow("top", "q", children=[Flow("below", "q")])],),
    (Flows, "get"): ("q", "1"),
    (Schedules, "upsert"): ("s",),
    (Schedules, "get"): ("s",),
    (Schedules, "remove"): ("s",),
    (Schedules, "upcoming"): ("s",),
}


@pytest.mark.parametrize("kind", [Queue, Job, Flows, Schedules])
def test_no_method_but_waiting_for_a_result_needs_a_loop(kind: type, app: App) -> None:
    """A method that suspends raises RuntimeError; what it raises of ours is its own affair."""
    called = 0
    methods = [
        (name, method)
        for name, method in inspect.getmembers(kind, inspect.iscoroutinefunction)
        if not name.startswith("_") and name != "wait_for_result"
    ]
    for name, method in methods:
        queue = app.queue("q")
        job = queue.sync.add("x", {})
        target: Any = {Queue: queue, Job: job, Flows: app.flows, Schedules: app.schedules("q")}[kind]
        options: dict[str, Any] = {"every": "1h", "name": "x"} if (kind, name) == (Schedules, "upsert") else {}
        if "force" in inspect.signature(method).parameters:
            options["force"] = True
        refused: StockyardError | None = None
        try:
            getattr(target.sync, name)(*ARGUMENTS.get((kind, name), ()), **options)
        except StockyardError as error:
            refused = error
        called += not isinstance(refused, BlockingCallRefused)
        queue.sync.resume()
    assert called == len(methods) > 2
    assert not in_portal(app)


def test_batches_keep_their_order_whatever_kinds_of_jobs_they_are_of(app: App) -> None:
    queue = app.queue("q")
    top = queue.sync.add("top", job_id="top")
    jobs: list[Any] = [(f"n{n}", n, {"deduplication": f"d{n}"} if n % 7 == 3 else {}) for n in range(180)]
    added = queue.sync.add_many(jobs)
    assert [job.name for job in added] == [name for name, *_ in jobs]
    assert [stored(queue.sync, job.id).name for job in added[::20]] == [name for name, *_ in jobs[::20]]
    assert queue.sync.add("again", deduplication="d3").was_added is False
    assert queue.sync.add("again", job_id="top").name == "top"
    assert queue.sync.add("child", parent=top).parent_key is not None
    top.sync.remove()
    with pytest.raises(JobNotFound):
        queue.sync.add_many([("orphan", 1, {"parent": top})])


def test_a_server_that_has_forgotten_its_scripts_is_sent_them_again(own_server: OwnServer) -> None:
    app = app_on(own_server.url)
    queue = app.queue("q").sync
    queue.add("x")
    with own_server.client() as client:
        client.script_flush()
    assert queue.add("x").id == "2"
    app.close()


def test_a_server_that_was_restarted_is_used_again_and_one_that_is_away_is_an_error(own_server: OwnServer) -> None:
    app = app_on(own_server.url, call_timeout=0.3)
    queue = app.queue("q").sync
    queue.add("x")
    own_server.stop()
    for call in (lambda: queue.add("x"), queue.counts):
        with pytest.raises(ServerUnavailable, match=r"no server at .*; start one, set REDIS_URL"):
            call()
    own_server.start()
    assert queue.add("x").id == "2"
    app.close()


def test_what_the_server_refuses_is_said_as_in_a_loop(make_server: Callable[..., OwnServer]) -> None:
    server = make_server(port=True)
    app = app_on(server.url, call_timeout=1)
    queue = app.queue("q").sync
    with server.client() as client:
        client.config_set("maxclients", 1)
        with pytest.raises(ServerUnavailable, match="maxclients"):
            queue.add("x")
        client.config_set("maxclients", 100)
        client.config_set("maxmemory", 1)
        with pytest.raises(ServerRefused, match="the server is full"):
            queue.add("x")
        client.config_set("maxmemory", 0)
        client.replicaof("127.0.0.1", "1")
        with pytest.raises(ServerUnavailable, match="replica"):
            queue.add("x")
        client.replicaof("NO", "ONE")
    assert queue.counts()[JobState.WAITING] == 0
    assert queue.add("x").id == "1"
    app.close()


def test_a_call_to_a_replica_is_made_again_until_it_is_the_primary(make_server: Callable[..., OwnServer]) -> None:
    server = make_server(port=True)
    app = app_on(server.url, call_timeout=30)
    queue = app.queue("q").sync
    with server.client() as client, ThreadPoolExecutor(1) as pool:
        client.replicaof("127.0.0.1", "1")
        adding = pool.submit(queue.add, "x")
        wait_until(lambda: "primary" in app._runtime().server.trouble)
        client.replicaof("NO", "ONE")
        assert adding.result(60).id == "1"
    app.close()


@pytest.mark.parametrize("how", ["cut", "half", "silence"])
async def test_a_lost_reply_is_an_error_and_its_job_is_not_added_again(
    make_server: Callable[..., OwnServer], how: Any
) -> None:
    server = make_server(port=True)
    async with Proxy(server.url) as proxy:
        app = app_on(proxy.url, call_timeout=2)
        queue = app.queue("q")
        await asyncio.to_thread(queue.sync.add, "x")
        lost = proxy.lose_reply(lambda sent: b"EVALSHA" in sent, how)
        with pytest.raises(ReplyLost, match="may or may not have happened"):
            await asyncio.to_thread(queue.sync.add, "x")
        await asyncio.wait_for(lost.wait(), 25)
        assert (await asyncio.to_thread(queue.sync.counts))[JobState.WAITING] == 2
        assert (await asyncio.to_thread(queue.sync.add, "x")).id == "3"
        await app.aclose()


async def test_a_large_job_on_a_slow_link_takes_longer_than_the_call_timeout(
    make_server: Callable[..., OwnServer],
) -> None:
    server = make_server(port=True)
    async with Proxy(server.url) as proxy:
        app = app_on(proxy.url, call_timeout=1)
        await asyncio.to_thread(app.queue("q").sync.counts)
        proxy.rate = 1_500_000
        began = asyncio.get_running_loop().time()
        job = await asyncio.to_thread(app.queue("q").sync.add, "x", "x" * 3_000_000)
        assert asyncio.get_running_loop().time() - began > 1
        assert len((await asyncio.to_thread(stored, app.queue("q").sync, job.id)).data) == 3_000_000
        proxy.rate = 0
        await app.aclose()


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("port", [True, False])
def test_a_forked_child_has_connections_of_its_own(make_server: Callable[..., OwnServer], port: bool) -> None:
    server = make_server(port=port)
    app = app_on(server.url)
    queue = app.queue("q").sync
    queue.add("parent")
    with server.client() as client:
        before = connections(client)
        assert len(before) == 1
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            ids = [queue.add("child").id for _ in range(3)]
            os.write(write, b"added" if len(set(ids)) == 3 else b"wrong")
            signal.pause()
        os.close(write)
        assert os.read(read, 5) == b"added"
        both = connections(client)
        assert before < both
        assert len(both) == 2
        assert queue.add("parent").id == "5"
        # What the child had of the parent's socket is closed: the server sees the parent's end at once.
        app.close()
        wait_until(lambda: connections(client) == both - before)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(read)
        wait_until(lambda: not connections(client))


def test_many_threads_share_few_connections_and_leave_none(own_server: OwnServer) -> None:
    app = app_on(own_server.url)
    queue = app.queue("q").sync
    with own_server.client() as client:
        begin = threading.Barrier(32)

        def add(number: int) -> list[str]:
            begin.wait(60)
            return [queue.add("x", number).id for _ in range(20)]

        with ThreadPoolExecutor(32) as pool:
            ids = [job_id for each in pool.map(add, range(32)) for job_id in each]
        assert sorted(map(int, ids)) == list(range(1, 641))
        # Each thread's own come in the order in which it added them.
        assert all(ids[at : at + 20] == sorted(ids[at : at + 20], key=int) for at in range(0, 640, 20))
        assert 1 <= len(connections(client)) <= MAX_CONNECTIONS
        app.close()
        wait_until(lambda: not connections(client))


def test_more_threads_than_connections_wait_no_longer_than_the_call_timeout(own_server: OwnServer) -> None:
    app = app_on(own_server.url, call_timeout=2)
    queue = app.queue("q").sync
    queue.add("x")
    own_server.pause()

    def add(_: int) -> str:
        try:
            queue.add("x")
        except (ServerUnavailable, ReplyLost) as error:
            return str(error)
        return "added"

    with ThreadPoolExecutor(3 * MAX_CONNECTIONS) as pool:
        said = list(pool.map(add, range(3 * MAX_CONNECTIONS)))
    own_server.resume()
    assert "added" not in said
    assert any("were busy until the call's timeout" in each for each in said)
    assert queue.add("x").name == "x"
    app.close()


@pytest.mark.parametrize("closes", ["close", "aclose"])
def test_closing_the_app_breaks_off_calls_under_way(own_server: OwnServer, closes: str) -> None:
    app = app_on(own_server.url, call_timeout=60)
    queue = app.queue("q").sync
    queue.counts()
    own_server.pause()
    try:
        with ThreadPoolExecutor(2 * MAX_CONNECTIONS) as pool:
            calls = [pool.submit(queue.add, "x") for _ in range(2 * MAX_CONNECTIONS)]
            runtime: Any = app._runtime()
            used = runtime.server._blocking_pools.get()._used
            wait_until(lambda: len(used) == MAX_CONNECTIONS)
            wait_until(lambda: any(connection._socket is not None for connection in list(used)))
            if closes == "close":
                app.close()
            else:
                app.sync.aclose()
            for call in calls:
                with pytest.raises(BlockingCallRefused, match="the app was closed"):
                    call.result(30)
    finally:
        own_server.resume()
    assert queue.counts() is not None
    app.close()


def test_an_interrupted_call_does_not_leave_its_reply_to_the_next(own_server: OwnServer) -> None:
    app = app_on(own_server.url, call_timeout=60)
    queue = app.queue("q").sync
    queue.add("x")

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    own_server.pause()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            queue.add("x")
    finally:
        signal.signal(signal.SIGALRM, before)
        own_server.resume()
    wait_until(lambda: queue.counts()[JobState.WAITING] == 2)
    assert queue.add("y").id == "3"
    app.close()


# Of a cycle, the socket may be finalized before the connection that closes it, which Python then remarks.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_an_app_that_nobody_closes_leaves_no_socket_open(own_server: OwnServer) -> None:
    with own_server.client() as client:
        app_on(own_server.url).queue("q").sync.add("x")
        wait_until(lambda: not _collected() and not connections(client))


def _collected() -> int:
    import gc

    gc.collect()
    return 0
