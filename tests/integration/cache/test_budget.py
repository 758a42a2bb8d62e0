"""The caches of a server keep to their budget, and give way to everything else when it is short of memory."""

from collections.abc import Callable

from stockyard import App, Settings, Topology
from tests.integration.cache.conftest import MakeApp, Start
from tests.support.servers import OwnServer
from tests.support.waiting import eventually, ticks

MakeServer = Callable[..., OwnServer]
SIZE = 1000


def desk(server: OwnServer, **settings: object) -> App:
    """An app with a queue on a private server."""
    topology = Topology("test")
    topology.queue("q", remove_on_complete=False)
    return App(topology, settings=Settings.load(server.url, dotenv=None, **settings))  # type: ignore[arg-type]


async def test_ten_times_the_budget_leaves_the_budget_and_the_last_used(make_app: MakeApp) -> None:
    app = make_app(cache_bytes="200kb")
    cache = app.cache("c", str)
    await cache.set("used", "x")
    for start in range(0, 2000, 20):
        await cache.set_many({str(each): "x" * SIZE for each in range(start, start + 20)})
        assert await cache.get("used") == "x"
        (usage,) = await app.caches.usage()
        assert usage.bytes <= 200 * 1024
    assert await app.caches.budget() == 200 * 1024
    assert await cache.get("1999") == "x" * SIZE
    assert await cache.get("0") is None
    assert usage.evictions == cache.stats().evictions == 2001 - usage.entries
    assert usage.entries > 80


async def test_a_large_entry_takes_the_place_of_many_small_ones(make_app: MakeApp) -> None:
    cache = make_app(cache_bytes="2mb").cache("c", str)
    await cache.set_many({str(each): "x" for each in range(5000)})
    held = cache.stats().entries
    assert await cache.set("large", "x" * 1_500_000)
    assert await cache.get("large") == "x" * 1_500_000
    assert await cache.get("4999") == "x"
    assert cache.stats().entries < held - 3000
    assert not await cache.set("too large", "x" * 2_000_000)
    assert await cache.get("large") is not None


async def test_two_caches_share_one_budget(make_app: MakeApp) -> None:
    app = make_app(cache_bytes="100kb")
    first, second = app.cache("a", str), app.cache("b", str)
    await first.set_many({str(each): "x" * SIZE for each in range(50)})
    await second.set_many({str(each): "x" * SIZE for each in range(200)})
    usage = {each.name: each for each in await app.caches.usage()}
    assert usage["a"].entries == 0
    assert usage["a"].evictions == 50
    assert sum(each.bytes for each in usage.values()) <= 100 * 1024


async def test_what_does_not_fit_the_budget_is_counted_and_not_raised(make_app: MakeApp) -> None:
    cache = make_app(cache_bytes="2kb").cache("c", str)
    assert await cache.get_or_set("k", lambda: "x" * 5000) == "x" * 5000
    assert cache.stats().errors == 1
    assert not await cache.set("k", "x" * 5000)
    assert cache.stats().errors == 2
    assert await cache.set("k", "x")


async def test_the_budget_is_a_quarter_of_the_server(make_server: MakeServer) -> None:
    async with desk(make_server(options={"maxmemory": "64mb"})) as app:
        assert await app.caches.budget() == 16 * 2**20
    async with desk(make_server()) as app:
        assert await app.caches.budget() == 256 * 2**20


async def test_a_short_server_is_relieved_by_a_cache_that_nobody_writes(make_server: MakeServer) -> None:
    server = make_server(options={"maxmemory": "40mb"})
    with server.client() as client:
        async with desk(server, cache_bytes="10mb") as app:
            cache = app.cache("c", str)
            await cache.set_many({str(each): "x" * 10_000 for each in range(700)})
            (usage,) = await app.caches.usage()
            held = usage.bytes
            assert held > 7 * 2**20
            async for each in ticks(0.01, 100):
                client.set(f"job{each}", "x" * 300_000)

            async def is_relieved() -> bool:
                (usage,) = await app.caches.usage()
                return usage.bytes < held - 2**20 and client.info("memory")["used_memory"] < 37 * 2**20

            await eventually(is_relieved)
            client.delete(*(f"job{each}" for each in range(100)))

            async def is_whole_again() -> bool:
                return await app.caches.budget() == 10 * 2**20

            await eventually(is_whole_again)


async def test_a_full_server_is_shed_and_never_raises_to_who_computes(make_server: MakeServer) -> None:
    server = make_server(options={"maxmemory": "40mb"})
    with server.client() as client:
        async with desk(server, cache_bytes="20mb") as app:
            cache = app.cache("c", str)
            await cache.set_many({str(each): "x" * 10_000 for each in range(700)})
            (before,) = await app.caches.usage()
            # Less by more than the buffers of the calls before, which may still be counted.
            client.config_set("maxmemory", client.info("memory")["used_memory"] - 2_000_000)
            assert await cache.get_or_set("new", lambda: "computed") == "computed"
            assert await cache.get("new") == "computed"
            await app.queue("q").add("job", {})
            (after,) = await app.caches.usage()
            assert after.bytes < before.bytes - 2**20
            assert cache.stats().errors == 0


async def test_a_full_server_without_a_cache_to_shed_lets_everyone_compute(make_server: MakeServer) -> None:
    server = make_server()
    with server.client() as client:
        async with desk(server) as app:
            cache = app.cache("c", str)
            client.config_set("maxmemory", client.info("memory")["used_memory"] - 200_000)
            runs = []

            def load() -> str:
                runs.append(1)
                return "computed"

            assert await cache.get_or_set("k", load) == "computed"
            assert await cache.get_or_set("k", load) == "computed"
            assert not await cache.set("k", "x")
            assert len(runs) == 2
            assert cache.stats().errors >= 3
            assert await cache.get("k") is None


async def test_jobs_live_beside_a_cache_that_is_written_ten_times_over(
    make_server: MakeServer, start: Start, prefix: str
) -> None:
    server = make_server(options={"maxmemory": "48mb"})
    with server.client() as client:
        async with desk(server, prefix=prefix) as app:
            queue = app.queue("q")
            locks = {f"{prefix}:q:lock{each}": "x" for each in range(100)}
            for key, value in locks.items():
                client.set(key, value, px=600_000)
            writers = [start("fill", 60, 20_000, url=server.url) for _ in range(2)]
            added = []
            async for _ in ticks(0.01):
                if not any(each.running for each in writers):
                    break
                added += [job.id for job in await queue.add_many([("job", {"x": "y" * 100}) for _ in range(20)])]
            assert all(each.answer() == ["0"] for each in writers)
            assert client.llen(f"{prefix}:q:wait") == len(added) == len(set(added))
            assert client.exists(*locks) == 100
            (usage,) = await app.caches.usage()
            assert usage.evictions > 0
            info = client.info("stats")
            assert info["evicted_keys"] == 0
            assert client.info("memory")["used_memory"] < 48 * 2**20


async def test_what_one_process_reads_does_not_leave_for_what_another_writes(make_app: MakeApp) -> None:
    app = make_app()
    reader, writer = app.cache("c", str), make_app(cache_bytes="60kb").cache("c", str)
    keyspace = app.caches._keyspace

    async def is_last_to_leave() -> bool:
        (member,) = await keyspace.server.call("ZREVRANGE", keyspace.keys.uses, 0, 0)
        return bytes(member).endswith(b"::e:used")

    await writer.set_many(dict.fromkeys(("used", *map(str, range(20))), "x" * SIZE))
    for start in range(100, 500, 10):
        assert await reader.get("used") == "x" * SIZE
        # The note follows the read by itself.
        await eventually(is_last_to_leave)
        await writer.set_many({str(each): "x" * SIZE for each in range(start, start + 10)})
    assert await reader.get("0") is None
    assert writer.stats().evictions > 300
