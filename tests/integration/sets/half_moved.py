"""A slot of a real cluster that holds something of everything, and is half moved."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis

from stockyard._store import alerts
from stockyard._store.alerts import AlertKeyspace
from stockyard._store.caches import caching
from stockyard._store.caches.caching import CacheKeyspace, NewEntry
from stockyard._store.channels import durable
from stockyard._store.channels.broadcast import ChannelKeyspace
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.cluster import Cluster
from stockyard._store.net.connection import Command
from stockyard._store.net.script_call import ScriptCall
from stockyard._store.net.slots import slot_of
from stockyard._store.records import StartedRecord
from stockyard.config import Settings
from stockyard.model.arrangement import Arrangement
from stockyard.model.coalesce import Coalesce
from stockyard.model.limit import Fixed, InFlight
from stockyard.model.naming import Naming
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.consumers import publish, take
from tests.scripts.exchange import Admitted, Exchange
from tests.scripts.test_scheduling_upsert import HOUR, upsert
from tests.support.sets import ClusterSet

NAMING = Naming("m", "one")
"""All in one slot: the same move meets queues, caches, channels and alerts."""


COMPACT = {"hash-max-listpack-value": "10000", "set-max-listpack-value": "10000"}
"""Of what is stored as a hash table, each dump has another order."""


KEYS = {
    ":keys:heads": {"5": "A", "6": "B"},
    ":keys:holders": {"A": '["5"]', "B": '["6"]'},
    ":keys:parked": {"A": "5"},
    ":keys:lines": Sorted({"A": NOW, "B": NOW}),
    ":keys:waiting": "2",
    ":key:A": Sorted({"20": 20}),
    ":key:B": Sorted({"21": 21}),
    "20": record(),
    "21": record(),
}
"""Of two keys, one is parked, and the job of the other has ended."""


class HastyCluster(Cluster):
    """Does not wait until a slot has been moved."""

    async def run_many(self, calls: Sequence[ScriptCall], *also: Command, **options: Any) -> list[Any]:
        return await super().run_many(calls, *also, **(options | {"stays": True}))


class Stage:
    """A cluster with something of everything in one slot, which can be moved half-way."""

    def __init__(self, servers: ClusterSet) -> None:
        server = self.server = HastyCluster(Settings.load(servers.url, dotenv=None).address)
        self.queue = QueueKeyspace(server, NAMING, "q", clock=lambda: NOW)
        arrangement = Arrangement(coalesce=Coalesce(mode="latest"), max_length=100)
        self.arranging = QueueKeyspace(server, NAMING, "q", clock=lambda: NOW, arrangement=arrangement)
        self.cache = CacheKeyspace(server, NAMING)
        self.channel = ChannelKeyspace(server, NAMING, "c")
        self.desk, self.other_desk = (AlertKeyspace(server, NAMING, name) for name in ("desk", "other"))
        self.started: list[StartedRecord] = []
        self.messages: list[str] = []
        self.dead = ""
        self.exchange = Exchange(server, NAMING, Fixed("orders", 9, per="10s"), InFlight("open", 9))
        self.called: Admitted | None = None
        self._key = self.queue.base
        source = servers.primary_of(self._key)
        target = self._target_node = next(node for node in servers.nodes if node is not source)
        self.source: Any = servers.client(source)
        self._target: Any = servers.client(target)
        # Dumps are no text.
        self._source_raw: Any = redis.Redis(source.host, source.port)
        self._target_raw: Any = redis.Redis(target.host, target.port)
        self.keys = Keyspace(self.source, self._key)
        self._slot = slot_of(self._key)

    async def aclose(self) -> None:
        await self.server.aclose()
        for client in (self.source, self._target, self._source_raw, self._target_raw):
            client.close()

    async def fill(self) -> None:
        """Put something of everything there."""
        self._clear()
        base = self.queue.base
        link = {"parentKey": base + "p", "parent": f'{{"id":"p","queueKey":"{base[:-1]}"}}'}
        self.keys.put(
            {
                "1": record(**link),
                "2": record(deid="D", opts='{"coalesce":{"key":"BTC","replaced":0}}'),
                ":coalesced:key:BTC": Sorted({"2": 1}),
                ":coalesced:due": Sorted({"BTC": NOW}),
                ":counts": {"replaced": "1"},
                "2:logs": ["a line"],
                "wait": ["2", "1"],
                "3": record(ats=1, processedOn=NOW - 10),
                "3:lock": "w:1",
                "8": record(ats=1),
                "active": ["3", "8"],
                "stalled": {"3", "8"},
                "4": record(delay=5000),
                "delayed": Sorted({"4": (NOW + 5000) * 4096.0}),
                "5": record(failedReason="broken", finishedOn=NOW - 5),
                "failed": Sorted({"5": NOW - 5}),
                "6": record(returnvalue="1", finishedOn=NOW - 5),
                "completed": Sorted({"6": NOW - 5}),
                "7": record(priority=3),
                "prioritized": Sorted({"7": 3 * 2**32 + 1}),
                "pc": "1",
                "p": record(),
                "p:dependencies": {base + "1", base + "gone"},
                "waiting-children": Sorted({"p": NOW - 5}),
                "9": record(),
                "paused": ["9"],
                "de:D": "2",
                "id": "9",
                "limiter": "1",
                **KEYS,
                "metrics:completed": {"count": "1"},
                "metrics:failed": {"count": "1"},
            }
        )
        await upsert(self.queue, every_ms=HOUR)
        self.keys.put({"marker": Sorted({"0": 0})})
        entries = [NewEntry(name, b"value", 60_000, tags=["tag"]) for name in "ab"]
        await caching.write(self.cache, "prices", [*entries, NewEntry("plain", b"value", 60_000)], 10**6)
        await self.claim("locked")
        self.messages = await publish(self.channel, b"x", b"y", b"z")
        await take(self.channel, fresh=2)
        await durable.release(
            self.channel, "g", "me", self.messages[0], attempts=1, reason="broken", idle_ms=60_000
        )
        await alerts.lead(self.desk, "a", 60_000)
        await alerts.record(self.desk, "a", {"x": b"1"}, [b"first"])

    async def claim(self, key: str) -> None:
        """Take the lock for loading an entry."""
        await caching.claim(
            self.cache, "prices", key, "w:1", lease_ms=60_000, stale_ms=0, seen=b"", tags=["new"], lifetime_ms=9000
        )

    def snapshot(self) -> dict[bytes, Any]:
        """What both nodes hold, and whether it expires; a key on both is there twice."""
        found: dict[bytes, Any] = {}
        for client in (self._source_raw, self._target_raw):
            keys = list(client.scan_iter(count=1000))
            with client.pipeline(transaction=False) as pipe:
                for key in keys:
                    # The node that a slot moves to shows its keys only to those who ask so.
                    for command in (("ASKING",), ("DUMP", key), ("ASKING",), ("PTTL", key)):
                        pipe.execute_command(*command)
                replies = pipe.execute()
            for key, dump, left in zip(keys, replies[1::4], replies[3::4], strict=True):
                found.setdefault(key, []).append((dump, left > 0))
        return found

    @contextmanager
    def moving(self, keys: Sequence[bytes]) -> Iterator[None]:
        """Move these keys of the slot and leave it so."""
        source_id, target_id = (client.execute_command("CLUSTER MYID") for client in (self.source, self._target))
        self._target.execute_command("CLUSTER SETSLOT", self._slot, "IMPORTING", source_id)
        self.source.execute_command("CLUSTER SETSLOT", self._slot, "MIGRATING", target_id)
        try:
            if keys:
                node = self._target_node
                self._source_raw.execute_command("MIGRATE", node.host, node.port, "", 0, 5000, "KEYS", *keys)
            yield
        finally:
            for client in (self.source, self._target):
                client.execute_command("CLUSTER SETSLOT", self._slot, "STABLE")

    def restore(self, before: dict[bytes, Any]) -> None:
        """Bring all back to the node that serves the slot."""
        self._clear()
        with self._source_raw.pipeline(transaction=False) as pipe:
            for key, ((dump, expires),) in before.items():
                pipe.restore(key, 60_000 if expires else 0, dump)
            pipe.execute()

    def _clear(self) -> None:
        for client in (self.source, self._target):
            client.flushall()
