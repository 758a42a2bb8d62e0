"""One queue on one server: what every store operation is given."""

from __future__ import annotations

from typing import Any

from stockyard._store.composing import HOME
from stockyard._store.net.server import Server
from stockyard._store.net.server_calls import ServerCalls
from stockyard._store.scripts import Script
from stockyard._wire.keys import QueueKeys
from stockyard.model.arrangement import Arrangement
from stockyard.model.clock import Clock
from stockyard.model.naming import Naming, hash_tag
from stockyard.model.sharding import Shard


class QueueKeyspace:
    """A queue's keys with the server that holds them, or those of one of its shards.

    Args:
        server: the server.
        naming: how keys are spelled.
        queue: the queue's name.
        clock: gives the time that is written, in ms. Defaults to the server's.
        shard: the shard whose keys these are. Defaults to none: they are all of the queue's.
        arrangement: what the queue asks for of the jobs that wait. Defaults to nothing.
        indexed: paths to the values of payloads that it has an index of. Defaults to none.

    Attributes:
        queue: its name for people.
        shard: the shard's tag, or empty.
        arrangement, indexed: as given.
    """

    def __init__(
        self,
        server: Server,
        naming: Naming,
        queue: str,
        *,
        clock: Clock | None = None,
        shard: Shard | None = None,
        arrangement: Arrangement | None = None,
        indexed: tuple[str, ...] = (),
    ) -> None:
        self.server = server
        self.queue = queue
        self.arrangement = arrangement
        self.indexed = indexed
        self.shard: str = "" if shard is None else shard.tag
        self.keys: QueueKeys = QueueKeys(naming, queue if shard is None else shard.queue)
        self.clock: Clock = server.clock if clock is None else clock
        self.follows_server: bool = clock is None and not server.clock.is_manual
        self._script_keys: dict[str, list[str]] = {}

    @property
    def shard_queue(self) -> str:
        """Name of the queue, or of the shard, in keys, leases and connections."""
        return self.keys.queue

    @property
    def base(self) -> str:
        """What every key of the queue begins with."""
        return self.keys.base

    @property
    def numbered(self) -> str:
        """What stands for the id of a job that the server is to number: empty, or what its shard adds to that."""
        return f":@{self.shard}" if self.shard else ""

    def is_numbered(self, job_id: str) -> bool:
        """Say whether the server has numbered a job of this id: no other job is given the same."""
        number, at, tag = job_id.partition("@")
        return number.isdecimal() and tag == self.shard and bool(at) == bool(self.shard)

    @property
    def slot_tag(self) -> str:
        """What the keys have in common that one script may use; empty where one may use all keys."""
        return "" if self.keys.naming.slots is None else hash_tag(self.base)

    @property
    def knows_time(self) -> bool:
        """Whether ``clock`` gives the server's time, or one that is given by hand."""
        return not self.follows_server or self.server.clock.is_known

    async def learn_time(self) -> None:
        """Measure how far this machine's clock is from the server's, unless that is known."""
        if not self.knows_time:
            await self.server.learn_time()

    async def holder(self) -> ServerCalls:
        """Return the server that holds these keys now: on a cluster, one of its nodes.

        Raises:
            ServerUnavailable: no node of the cluster says which one.
        """
        return await self.server.at(self.base)

    def script_keys(self, script: Script) -> list[str]:
        """Return the script's keys in its order."""
        keys = self._script_keys.get(script.name)
        if keys is None:
            keys = self._script_keys[script.name] = [
                self.base if name == HOME else self.keys[name] for name in script.keys
            ]
        return keys

    async def run(self, script: Script, *args: str | bytes | int | float, stays: bool = False) -> Any:
        """Run a script on this queue's keys; ``stays`` is that of ``Server.run_many``."""
        return await self.server.run(script, self.script_keys(script), *args, stays=stays)
