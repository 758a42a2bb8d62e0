"""One queue on one server: what every store operation is given."""

from __future__ import annotations

from typing import Any

from stockyard._store.composing import HOME
from stockyard._store.net.server import Server
from stockyard._store.net.server_calls import ServerCalls
from stockyard._store.scripts import Script
from stockyard._wire.keys import QueueKeys
from stockyard.model.clock import Clock
from stockyard.model.naming import Naming, hash_tag


class QueueKeyspace:
    """A queue's keys with the server that holds them.

    Args:
        server: the server.
        naming: how keys are spelled.
        queue: the queue's name.
        clock: gives the time that is written, in ms. Defaults to the server's.
    """

    def __init__(self, server: Server, naming: Naming, queue: str, *, clock: Clock | None = None) -> None:
        self.server = server
        self.queue = queue
        self.keys: QueueKeys = QueueKeys(naming, queue)
        self.clock: Clock = server.clock if clock is None else clock
        self.follows_server: bool = clock is None and not server.clock.is_manual
        self._script_keys: dict[str, list[str]] = {}

    @property
    def base(self) -> str:
        """What every key of the queue begins with."""
        return self.keys.base

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
