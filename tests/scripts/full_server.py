"""What each script does on a server at its ``maxmemory``, and a server that is full for one script alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from stockyard._store.jobs.add_stream import AddStream
from stockyard._store.net.server import Server
from stockyard.errors import ServerRefused

WORKS = frozenset(
    """
    broadcast.publish broadcast.publish_in_slot
    caching.delete caching.read caching.release caching.evict_to
    coalescing.settle expiring.note
    breaking.admit breaking.fail breaking.settle breaking.take halting.apply halting.change halting.release
    children.count children.detach children.look children.settle
    durable.facts durable.leave durable.look durable.redeliver durable.release durable.renew durable.groups
    durable.take
    editing.cancel
    effects.forget effects.lose effects.report effects.review effects.settle
    editing.delay editing.list_below editing.priority editing.promote editing.remove editing.remove_below
    editing.remove_children editing.remove_listed editing.retry
    finishing.finish
    keyed.clear keyed.feed keyed.list keyed.lengths keyed.look keyed.repair keyed.replay keyed.resume
    leasing.abandon leasing.reclaim leasing.recover leasing.renew
    managing.clean managing.clear_rate_limit managing.configure managing.obliterate managing.pause
    managing.pause_for managing.promote managing.release_deduplication managing.resume managing.retry
    reading.endings reading.health reading.page reading.position reading.state
    scheduling.advance scheduling.list scheduling.look scheduling.remove scheduling.restore
    alerts.lead alerts.record
    versioning.admit versioning.count versioning.divide versioning.look versioning.take
    arranging.regrade
    admitting.take limiting.freeze limiting.look limiting.observe limiting.settle limiting.take
    """.split()
)
"""They finish, advance, repair, make room or read: a full server runs them."""

REFUSED = frozenset(
    """
    adding.add adding.attach adding.flow adding.relay arranging.add
    caching.claim caching.write caching.write_in_place
    durable.publish
    editing.data editing.log editing.progress
    effects.begin
    indexing.note
    managing.publish
    scheduling.upsert
    """.split()
)
"""They bring something new: a full server refuses them before their first write, and nothing has changed.

The exceptions are tested with these scripts: of ``editing``, what a running job says of itself is taken; of
``upsert``, a schedule that has a pending run is changed.
"""


def script_of(module: str, names: frozenset[str]) -> str | None:
    """Return the script of a module: ``finishing.finish`` of ``test_finishing_finish_moves``."""
    leaf = module.rpartition(".")[2].removeprefix("test_").replace("_", ".", 1)
    return max((name for name in names if leaf == name or leaf.startswith(f"{name}_")), key=len, default=None)


class FullFor:
    """Makes the server full while one script runs.

    A script of ``REFUSED`` that is refused must have left every key as it was; it is then called again with room,
    so that the test goes on.
    """

    def __init__(self, script: str, client: "redis.Redis", prefix: str, *, works: bool = False) -> None:
        self._works = works or script in WORKS
        self._script = script
        self._client: Any = client
        self._prefix = prefix
        self._room = "0"
        self._before: dict[bytes, bytes] = {}

    @contextmanager
    def installed(self, monkeypatch: Any) -> Iterator[None]:
        run_many, write, read = Server.run_many, AddStream.write, AddStream.read
        full = self
        self._room = self._client.config_get("maxmemory")["maxmemory"]

        async def run_many_when_full(self: Server, runs: Any, *also: Any, **options: Any) -> list[Any]:
            if all(script.plain_name != full._script for script, *_ in runs):
                return await run_many(self, runs, *also, **options)
            before = full._fill()
            try:
                replies = await run_many(self, runs, *also, **options)
            finally:
                full._make_room()
            if any(full._is_refusal(reply) for reply in replies):
                full._judge(before)
                replies = await run_many(self, runs, *also, **options)
            return replies

        batches: list[Any] = []

        def write_when_full(self: AddStream, jobs: Any) -> None:
            full._before = full._fill()
            batches.append(jobs)
            write(self, jobs)

        async def read_when_full(self: AddStream) -> Any:
            try:
                return await read(self)
            except ServerRefused as error:
                full._make_room()
                if not full._is_refusal(error):
                    raise
                full._judge(full._before)
                write(self, batches[-1])
                return await read(self)
            finally:
                full._make_room()

        monkeypatch.setattr(Server, "run_many", run_many_when_full)
        if self._script in ("adding.add", "adding.attach", "arranging.add"):
            monkeypatch.setattr(AddStream, "write", write_when_full)
            monkeypatch.setattr(AddStream, "read", read_when_full)
        try:
            yield
        finally:
            self._make_room()

    def _fill(self) -> dict[bytes, bytes]:
        before = self._snapshot()
        self._client.config_set("maxmemory", 1)
        return before

    def _make_room(self) -> None:
        self._client.config_set("maxmemory", self._room)

    def _snapshot(self) -> dict[bytes, bytes]:
        found = self._client.scan_iter(f"{self._prefix}*", count=1000)
        return {key: self._client.dump(key) for key in found}

    def _is_refusal(self, reply: Any) -> bool:
        return isinstance(reply, ServerRefused) and "the server is full" in str(reply)

    def _judge(self, before: dict[bytes, bytes]) -> None:
        assert not self._works, f"{self._script} must work on a full server, and was refused"
        assert self._snapshot() == before, f"{self._script} was refused after it had written"
